# SPDX-License-Identifier: Apache-2.0
"""Interpreters and tools without a server: one program each that uses the system a good deal."""
from .harness import Case, Failed

PERL = r"""
use strict; use warnings; use POSIX qw(strftime floor); use Socket; use IO::Socket::INET; use File::Temp 'tempdir'; use Time::HiRes 'usleep';
my $dir = tempdir(CLEANUP => 1); my %count;
open(my $in, '<', '/etc/passwd') or die; while (<$in>) { $count{(split /:/)[6] // ''}++ } close $in;
print join(',', map {"$_=$count{$_}"} sort keys %count), "\n";
open(my $out, '>', "$dir/a") or die; print $out "line $_\n" for 1..10000; close $out; print -s "$dir/a", "\n";
rename "$dir/a", "$dir/b"; symlink 'b', "$dir/c"; print readlink("$dir/c"), ' ', join(' ', map {s/.*\///r} sort glob("$dir/*")), "\n";
socketpair(my $x, my $y, AF_UNIX, SOCK_STREAM, 0) or die; syswrite $x, 'through a socket'; sysread $y, my $text, 100; print "$text\n";
my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die; my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport);
my $s = $l->accept; print $c "over tcp\n"; print scalar <$s>;
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print $@;
local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$; usleep 1000;
print strftime('%F %T', gmtime 86400 * 365), ' ', floor(-1.5), ' ', int(atan2(1, 1) * 1e9), "\n";
my $u = "\x{e9}\x{4e2d}"; utf8::encode($u); print length $u, "\n"; print "$ENV{HOME} $0\n"; exit 3;
"""
RUBY = r"""
require 'json'; require 'digest'; require 'socket'; require 'tmpdir'; require 'set'; require 'openssl'; require 'zlib'; require 'timeout'
Dir.mktmpdir { |d| File.write("#{d}/a", 'x' * 100_000); puts File.size("#{d}/a"), Digest::SHA256.file("#{d}/a"), Dir.children(d) }
puts JSON.generate(a: [1, nil, 2.5], 'b' => { c: "\u00e9" }), JSON.parse('[1, {"x": null}]').inspect
q = Queue.new; threads = 8.times.map { |i| Thread.new { 1000.times { |k| q << i * k }; i } }; puts threads.map(&:value).inspect, q.size
server = TCPServer.new('127.0.0.1', 0); t = Thread.new { s = server.accept; s.puts s.gets.upcase; s.close }
c = TCPSocket.new('127.0.0.1', server.addr[1]); c.puts 'over tcp'; puts c.gets; t.join
puts Zlib::Inflate.inflate(Zlib::Deflate.deflate('nacre' * 1000)).size, OpenSSL::Digest::SHA512.hexdigest('x')[0, 32]
f = Fiber.new { |x| 3.times { |i| x = Fiber.yield(x + i) }; :done }; puts f.resume(1), f.resume(10), f.resume(100), f.resume(0)
trap('USR1') { puts 'usr1' }; Process.kill('USR1', Process.pid); sleep 0.05
1_000_000.times { |i| 'garbage' + i.to_s }; GC.start; puts GC.count > 0, ObjectSpace.count_objects[:TOTAL] > 0
begin; Timeout.timeout(0.05) { sleep 5 }; rescue Timeout::Error => e; puts e.class; end
def deep(n) = deep(n + 1) + 1
begin; deep(0); rescue SystemStackError => e; puts e.message; end
r = Ractor.new { Ractor.receive * 2 } rescue nil
puts 2**200, Time.at(0).utc, [3, 1, 2].sort.inspect, ENV['HOME'], ARGV.inspect; exit 4
"""
PHP = r"""<?php
$d = sys_get_temp_dir() . '/nacre-php'; @mkdir($d); file_put_contents("$d/a", str_repeat('x', 100000)); echo filesize("$d/a"), ' ', md5_file("$d/a"), "\n";
print_r(array_diff(scandir($d), ['.', '..'])); rename("$d/a", "$d/b"); unlink("$d/b"); rmdir($d); var_dump(file_exists($d));
echo json_encode(['a' => [1, null, 2.5], 'b' => "\u{e9}"]), "\n"; var_dump(json_decode('{"x": [1, {"y": null}]}', true));
echo preg_replace_callback('/(\d+)/', fn($m) => $m[1] * 2, 'a1 b22 c333'), ' ', hash('sha3-256', 'x'), ' ', bin2hex(gzcompress('nacre')), "\n";
$server = stream_socket_server('tcp://127.0.0.1:0'); $name = stream_socket_get_name($server, false); $c = stream_socket_client("tcp://$name");
$s = stream_socket_accept($server); fwrite($c, "over tcp\n"); echo fgets($s); $r = [$c]; $w = $e = null; var_dump(stream_select($r, $w, $e, 0, 1000));
pcntl_async_signals(true); pcntl_signal(SIGUSR1, function () { echo "usr1\n"; }); posix_kill(posix_getpid(), SIGUSR1);
function gen() { for ($i = 0; $i < 300000; $i++) { yield [$i => str_repeat('g', $i % 50)]; } } $n = 0; foreach (gen() as $g) { $n += count($g); } echo $n, "\n";
$x = []; for ($i = 0; $i < 100000; $i++) { $x["k$i"] = new ArrayObject([$i]); } echo count($x), ' ', array_sum(array_map(fn($o) => $o[0], $x)), "\n";
try { intdiv(1, 0); } catch (DivisionByZeroError $e) { echo get_class($e), "\n"; } echo date_create('@0')->setTimezone(new DateTimeZone('Asia/Tokyo'))->format('c'), "\n";
echo getenv('HOME'), ' ', $argc, "\n"; fwrite(STDERR, "to stderr\n"); exit(5);
"""
SQL = """
pragma journal_mode=wal; pragma synchronous=full; create table t(id integer primary key, name text unique, body blob);
begin; with recursive n(x) as (select 1 union all select x + 1 from n where x < 50000)
insert into t(name, body) select 'name ' || x, zeroblob(x % 200) from n; commit;
create index i on t(length(body)); select count(*), sum(length(body)) from t where length(body) between 10 and 20;
update t set body = randomblob(10) where id % 7 = 0; delete from t where id % 5 = 0; pragma integrity_check; vacuum; pragma page_count;
create virtual table f using fts5(text); insert into f values ('the inner shell that protects'), ('an outer shell'); select rowid, text from f where f match 'inner';
select json_extract('{"a": [1, 2, {"b": "c"}]}', '$.a[2].b'), hex(zeroblob(3)), upper('x'), date(0, 'unixepoch'); pragma wal_checkpoint(truncate);
insert into t(id, name) values (1, 'again');
"""
PYTHON = r"""
import concurrent.futures, decimal, hashlib, http.client, http.server, lzma, os, pathlib, queue, sqlite3, ssl, sys, tempfile, threading, time, zoneinfo
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d, 'a'); p.write_bytes(b'x' * 100000); print(p.stat().st_size, sorted(os.listdir(d)), hashlib.sha256(p.read_bytes()).hexdigest())
    db = sqlite3.connect(os.path.join(d, 'db')); db.execute('create table t(a)'); db.executemany('insert into t values(?)', ((i,) for i in range(10000))); db.commit()
    print(db.execute('select count(*), sum(a) from t').fetchone()); db.close()
with concurrent.futures.ThreadPoolExecutor(8) as pool: print(sum(pool.map(lambda n: len(hashlib.pbkdf2_hmac('sha256', b'p', b's', 1000 + n)), range(50))))
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *a): pass
    def do_GET(self):
        body = self.path.encode() * 100; self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers(); self.wfile.write(body)
s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
def get(i):
    c = http.client.HTTPConnection('127.0.0.1', s.server_port); n = 0
    for k in range(20): c.request('GET', f'/{i}/{k}'); n += len(c.getresponse().read())
    c.close(); return n
with concurrent.futures.ThreadPoolExecutor(8) as pool: print(list(pool.map(get, range(8))))
s.shutdown(); print(len(lzma.decompress(lzma.compress(b'nacre' * 10000))), ssl.OPENSSL_VERSION.split()[0], decimal.Decimal(2).sqrt())
print(zoneinfo.ZoneInfo('Europe/Berlin').utcoffset(__import__('datetime').datetime(2026, 7, 1))); sys.exit(6)
"""


def program(argv, status):
    """Its script ends with `status`: another one natively means that the script is wrong."""
    def check(side, box):
        code, out, err = side.run(argv)
        if code != status:
            raise Failed(f"exit status {code}, not {status}: {out[-300:]!r} {err[-1000:]!r}")
        return [("output", out)]
    return check


def sqlite(side, box):
    return [("shell", side.run(["sqlite3", "/tmp/nacre-services.db", SQL])),
            ("gone", side.run(["sqlite3", "-readonly", "/tmp/nacre-services-none.db", "select 1 from t"])[0]),
            ("cleaned", side.run(["rm", "-f", "/tmp/nacre-services.db"])[0])]


BASH = r"""
set -u; shopt -s lastpipe
seq 1 1000 | grep 7 | wc -l; echo "$(date -u -d @0 +%F) $(expr 6 '*' 7)"
cat <<EOF | tr a-z A-Z
here $((1 + 2)) $(echo document)
EOF
diff <(seq 1 5) <(seq 1 6); echo "status $? ${PIPESTATUS[*]}"
for i in 1 2 3 4 5 6 7 8; do (sleep 0.0$i; exit $i) & pids[$i]=$!; done; for i in 8 1 5 2 7 3 6 4; do wait ${pids[$i]}; echo -n "$? "; done; echo
trap 'echo usr1' USR1; kill -USR1 $$; ( trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.01; done ) & sleep 1; kill $!; wait $!; echo $?
false | true; echo ${PIPESTATUS[*]}; yes | head -n 2; (exit 3) || echo failed $?
f() { local x=$1; [ $x -le 0 ] && return; echo -n "$x "; ( f $((x - 1)) ); }; f 5; echo
d=$(mktemp -d); cd $d; for i in {1..50}; do echo $i > f$i & done; wait; ls | wc -l; cat f* | sort -n | tail -n 1
find . -name 'f1*' -print0 | xargs -0 -n 3 -P 4 cat | sort -n | head -n 3; tar cf - f1 f2 | (mkdir t; cd t; tar xf -); ls t; cd /; rm -r $d
coproc cat; echo through >&${COPROC[1]}; read -u ${COPROC[0]} line; echo $line; exec {COPROC[1]}>&-; wait
exit 8
"""
MAKE = """CC = gcc
all: prog
\t./prog
%.o: %.c part.h
\t$(CC) -O1 -c -o $@ $<
prog: main.o one.o two.o three.o
\t$(CC) -o $@ $^ -lm
clean:
\trm -f *.o prog
"""
PROCESSES = r"""
import multiprocessing as mp, os, signal, subprocess, sys, time
def leave(n): sys.exit(40 + n)
def echo(c):
    while (m := c.recv()) is not None: c.send(m * 2)
if __name__ == '__main__':
    for method in ('fork', 'spawn'):
        ctx = mp.get_context(method)
        ps = [ctx.Process(target=leave, args=(i,)) for i in range(3)]; [p.start() for p in ps]
        [p.join() for p in ps]; print(method, [p.exitcode for p in ps])
        a, b = ctx.Pipe(); p = ctx.Process(target=echo, args=(b,)); p.start(); a.send('x' * 100000); print(len(a.recv())); a.send(None); p.join()
    print(subprocess.run(['sh', '-c', 'cat; echo err >&2; exit 3'], input=b'in', capture_output=True))
    p = subprocess.Popen(['sleep', '100']); time.sleep(0.05); p.terminate(); print(p.wait())
    try: subprocess.run(['/no/such/program'])
    except FileNotFoundError as e: print(e.errno)
    try: subprocess.run(['sleep', '5'], timeout=0.1)
    except subprocess.TimeoutExpired: print('timeout')
    pid = os.fork()
    if pid == 0: os._exit(7)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


SHARED = r"""
import concurrent.futures, multiprocessing, multiprocessing.shared_memory, sys

def square(x):
    return x * x

def count(lock, value, n):
    for _ in range(n):
        with lock:
            value.value += 1

def fill(queue, n):
    for i in range(n):
        queue.put(i)

def attach(name):
    memory = multiprocessing.shared_memory.SharedMemory(name=name)
    memory.buf[1] = memory.buf[0] + 1
    memory.close()

def finish(*processes):
    for p in processes:
        p.start()
    for p in processes:
        p.join()
        assert p.exitcode == 0, p.exitcode

def main(kind):
    c = multiprocessing.get_context(kind)
    lock, value, queue = c.Lock(), c.Value("i", 0, lock=False), c.Queue()
    finish(*[c.Process(target=count, args=(lock, value, 50)) for _ in range(3)])
    p = c.Process(target=fill, args=(queue, 50))
    p.start()
    total = sum(queue.get() for _ in range(50))
    p.join()
    with c.Pool(3) as pool:
        pooled = sum(pool.map(square, range(100)))
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=c) as executor:
        executed = sum(executor.map(square, range(50)))
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=8192)
    memory.buf[0] = 41
    finish(c.Process(target=attach, args=(memory.name,)))
    shared = memory.buf[1]
    memory.close()
    memory.unlink()
    print(kind, value.value, total, pooled, executed, shared)

if __name__ == "__main__":
    main(sys.argv[1])
"""


def shared(side, box):
    """What rests on memory and locks that processes share, by every way of starting them."""
    program_file = box.file("shared.py", SHARED)
    seen = []
    for kind in ("fork", "spawn", "forkserver"):
        code, out, err = side.run(["/usr/bin/python3", program_file, kind], seconds=60)
        if code != 0:
            raise Failed(f"{kind}: exit status {code}, {out[-200:]!r}, {err[-800:]!r}")
        seen.append((kind, out))
    return seen


def make(side, box):
    """A small C project, by the compiler inside the enclave."""
    box.file("Makefile", MAKE)
    box.file("part.h", "int one(void); int two(void); double three(void);\n")
    box.file("main.c", '#include <stdio.h>\n#include "part.h"\nint main(void) { printf("%d %.3f\\n", one() + two(), three()); return 0; }\n')
    box.file("one.c", '#include "part.h"\nint one(void) { return 1; }\n')
    box.file("two.c", '#include "part.h"\nint two(void) { return 2 * one(); }\n')
    box.file("three.c", '#include <math.h>\n#include "part.h"\ndouble three(void) { return sqrt(one() + two()); }\n')
    script = "cp -r . /tmp/nacre-make && cd /tmp/nacre-make && make && make clean && make -j4 && touch one.c && make && " \
             "echo 'int broken' > two.c && ! make -k 2>/dev/null; rm -rf /tmp/nacre-make"
    return [("make", side.run(["sh", "-c", script], cwd=box.path, seconds=240)[:2])]


CASES = [
    Case("bash", "bash", "bash", "pipelines, here documents, process substitution, jobs, traps, 50 jobs at once, coprocess", program(["bash", "-c", BASH], 8)),
    Case("make-gcc", "make", "make", "a small C project: make, make -j4, an error; gcc, as and ld inside", make, needs=("gcc",)),
    Case("python3-processes", "python3", "python3", "multiprocessing by fork and spawn with pipes, subprocess, os.fork",
         lambda side, box: program(["/usr/bin/python3", box.file("processes.py", PROCESSES)], 0)(side, box)),
    Case("python3-shared-locks", "python3", "python3", "Lock, Queue, Value, Pool and shared_memory of multiprocessing and ProcessPoolExecutor, "
         "by fork, spawn and forkserver", shared, fast=True,
         limits="a page that another process has is fetched from it: a lock two processes take by turns costs some hundred microseconds each time"),
    Case("sqlite3", "sqlite3", "sqlite3", "the shell: WAL, 50,000 rows, index, vacuum, full text search, constraint error", sqlite),
    Case("perl", "perl", "perl", "files, sockets, signals, alarm, modules", program(["perl", "-e", PERL], 3)),
    Case("ruby", "ruby", "ruby", "threads, fibers, sockets, garbage collection, stack overflow, OpenSSL", program(["ruby", "-e", RUBY, "a"], 4)),
    Case("php", "php", "php-cli", "files, streams, signals, generators, JSON, regular expressions", program(["php", "-r", PHP[5:]], 5)),
    Case("python3", "python3", "python3", "threads, HTTP server and clients, sqlite, lzma, time zones", program(["python3", "-c", PYTHON], 6),
         fast=True),
]
