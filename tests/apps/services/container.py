# SPDX-License-Identifier: Apache-2.0
"""What programs find and do in a container: names and addresses, time zones, locales, other users, pid and log
files, signals and exit statuses."""
import os
import signal
import socket
import struct
import subprocess
import threading

from .harness import Case, Failed, connect, free_port

HOSTS = "127.0.0.1 localhost\n10.1.2.3 database db\nfd00::7 six\n"
RESOLVER = "127.0.0.153"  # a loopback address of our own: others may have something at port 53
RECORDS = {b"service.nacre.test": "192.0.2.17", b"other.nacre.test": "192.0.2.18", b"only.example": "198.51.100.9"}
LOOKUP = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
        int r = getaddrinfo(argv[i], "80", &hints, &found);
        char text[64] = "";
        if (r == 0) {
            inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof(text));
            freeaddrinfo(found);
        }
        printf("%s %s %s\n", argv[i], r == 0 ? "is" : gai_strerror(r), text);
    }
    return 0;
}
"""


class Resolver(threading.Thread):
    """A DNS server that knows a few A records. What does not fit a datagram it gives over TCP."""

    def __init__(self):
        super().__init__(daemon=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((RESOLVER, 53))

    @staticmethod
    def answer(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        name, question = b".".join(labels).lower(), query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        address = RECORDS.get(name)
        count = 1 if address and kind == 1 else 0
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | (0 if address else 3), 1, count, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if count else b""
        return head + question + record

    def run(self):
        while True:
            try:
                query, sender = self.udp.recvfrom(1500)
                self.udp.sendto(self.answer(query), sender)
            except (OSError, IndexError, struct.error):
                return

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"", (RESOLVER, 53))  # not a query: its thread ends
        self.join(5)
        self.udp.close()


def in_namespace(box):
    """Prefix of a command that sees our /etc/hosts and /etc/resolv.conf."""
    box.file("hosts", HOSTS)
    box.file("resolv.conf", f"nameserver {RESOLVER}\nsearch nacre.test\noptions timeout:2 attempts:2\n")
    script = f"mount --bind {box.path}/hosts /etc/hosts && mount --bind {box.path}/resolv.conf /etc/resolv.conf && exec \"$@\""
    return ["unshare", "--mount", "sh", "-c", script, "sh"]


def check_names(side, box):
    if os.geteuid() != 0:
        raise Failed("mounting a hosts file and serving port 53 needs root")
    source = box.file("lookup.c", LOOKUP)
    side.prefix = in_namespace(box)
    resolver = Resolver()
    resolver.start()
    names = ["database", "db", "localhost", "service", "service.nacre.test", "other.nacre.test.", "only.example", "10.9.8.7",
             "nowhere.nacre.test", "a..b"]
    seen = []
    try:
        for compiler in (["gcc"], ["gcc", "-static", "-w"], ["musl-gcc", "-static"]):
            program = box.file("lookup-" + "".join(compiler))
            subprocess.run(compiler + ["-o", program, source], check=True, stderr=subprocess.DEVNULL)
            seen.append((compiler, side.run([program] + names)))
        for name in ("database", "service", "six", "nowhere"):
            seen.append((name, side.run(["getent", "ahosts", name])[:2], side.run(["getent", "hosts", name])[:2]))
        seen.append(("python", side.run(["/usr/bin/python3", "-c", "import socket; print(socket.gethostbyname('service'), "
                                         "socket.getaddrinfo('db', 5432, type=socket.SOCK_STREAM))"])[:2]))
    finally:
        resolver.stop()
    if b"service is 192.0.2.17" not in seen[0][1][1]:
        raise Failed(f"the names do not resolve: {seen[0]}")
    return seen


def check_environment(side, box):
    seen = []
    for zone in ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "EST5EDT", ":/etc/localtime", "Nowhere/Such"):
        seen.append((zone, side.run(["date", "-d", "@1767222000", "+%F %T %Z %z"], env={"TZ": zone})))
    for locale in ("C", "C.UTF-8", "POSIX", "xx_YY.UTF-8"):
        seen.append((locale, side.run(["locale", "charmap"], env={"LC_ALL": locale})[:2],
                     side.run(["sort", box.file("words", "b\n\u00e4\nA\na\nZ\n")], env={"LC_ALL": locale})[:2]))
    seen.append(("date's locale", side.run(["date", "-d", "@0", "+%A %B"], env={"LC_ALL": "C.UTF-8"})))
    seen.append(("environment", side.run(["env", "-0"], env={"EMPTY": "", "LINES_": "a\nb", "EQ": "a=b"})[1].split(b"\0")))
    return seen


def check_users(side, box):
    seen = []
    for argv in (["id"], ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "id"],
                 ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--init-groups", "id"],
                 ["setpriv", "--no-new-privs", "--reuid", "65534", "--clear-groups", "grep", "-E", "^(Uid|Gid|NoNewPrivs|Groups)",
                  "/proc/self/status"],
                 ["setpriv", "--reuid", "1000", "--clear-groups", "cat", "/etc/shadow"],
                 ["setpriv", "--reuid", "1000", "--clear-groups", "sh", "-c", "echo x > /etc/nacre-services; echo $?"],
                 ["setpriv", "--reuid", "1000", "--clear-groups", "sh", "-c", "exec id"],
                 ["chroot", "/", "id"], ["chroot", "--userspec", "nobody:nogroup", "/", "id"],
                 ["chroot", "/usr", "/bin/true"], ["chroot", "/nonexistent", "true"]):
        code, out, err = side.run(argv)
        seen.append((argv, code, out, err))
    program = ("import os; os.setgroups([5, 6]); os.setgid(7); os.setuid(8); print(os.getresuid(), os.getresgid(), os.getgroups())\n"
               "for f in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.chroot('/'), lambda: os.setgroups([0])):\n"
               "    try: f(); print('allowed')\n"
               "    except OSError as e: print(e.errno)\n"
               "import tempfile; f = tempfile.NamedTemporaryFile(); s = os.stat(f.name); print(s.st_uid, s.st_gid)")
    seen.append(("dropped for good", side.run(["/usr/bin/python3", "-c", program])[:2]))
    return seen


STOPPING = """
import os, signal, sys, time
open(os.environ['PIDFILE'], 'w').write(str(os.getpid()))
log = open('/dev/stdout', 'a'); errors = open('/dev/stderr', 'a')
def stop(number, frame):
    log.write('stopping %d\\n' % number); log.flush(); os.unlink(os.environ['PIDFILE']); sys.exit(int(os.environ['STATUS']))
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1): signal.signal(s, stop)
log.write(str(int(open(os.environ['PIDFILE']).read()) == os.getpid()) + ' ready\\n'); log.flush()
errors.write('to stderr\\n'); errors.flush()
while True: time.sleep(100)
"""


def check_signals(side, box):
    seen = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
        p = side.start(["/usr/bin/python3", "-c", STOPPING], env={"PIDFILE": "/run/nacre-services.pid", "STATUS": "9"}, ready=b"to stderr")
        seen.append((number, p.stop(number), p.out, p.err))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGKILL):
        p = side.start(["sh", "-c", "echo ready; exec sleep 60"], ready=b"ready")
        if number is signal.SIGKILL and side.inside:
            p.kill()  # the whole group, as an engine does
            seen.append((number, 128 - p.popen.returncode))
        else:
            seen.append((number, p.stop(number)))
    return seen


def check_statuses(side, box):
    seen = []
    for script in ("exit 0", "exit 1", "exit 255", "exit 300", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$", "kill -ABRT $$",
                   "kill -PIPE $$", "no-such-program", "/etc/passwd", "exec /no/such", "exec /etc"):
        seen.append((script, side.run(["sh", "-c", script])[0]))
    for argv in (["/no/such/program"], ["/etc/passwd"], ["/etc"], ["no-such-program-in-path"]):
        try:
            code = side.run(argv)[0]
        except OSError as e:
            code = 126 if e.errno != 2 else 127
        seen.append((argv, code))
    return seen


def check_sockets(side, box):
    """A socket that outlives a bad client, a port that is taken, one that only root may take."""
    port = free_port()
    server = side.start(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", box.path, str(port)], ready=port)
    for _ in range(20):
        c = connect(port)
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.sendall(b"GET /")
        c.close()
    taken = side.run(["/usr/bin/python3", "-c", f"import socket; s = socket.socket(); s.bind(('127.0.0.1', {port}))"])
    seen = [("taken", taken[0], b"Address already in use" in taken[2])]
    with connect(port) as c:
        c.sendall(b"GET /nothing HTTP/1.0\r\n\r\n")
        seen.append(("still there", c.recv(100).split(b"\r\n")[0]))
    seen.append(("end", server.stop()))
    return seen


CASES = [
    Case("container-names", "unshare", "libc6", "/etc/hosts, /etc/resolv.conf with search, DNS: glibc dynamic and static, musl static, getent, "
         "python", check_names, needs=("gcc", "musl-gcc", "getent")),
    Case("container-environment", "locale", "libc-bin", "time zones, locales, odd variables", check_environment, fast=True),
    Case("container-users", "setpriv", "util-linux", "setuid, setgid, setgroups, chroot as servers do them at start, no_new_privs", check_users),
    Case("container-signals", "python3", "python3", "pid file, logs to /dev/stdout and /dev/stderr, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 "
         "handled and not", check_signals, fast=True),
    Case("container-statuses", "sh", "dash", "exit statuses and fatal signals as a container engine sees them", check_statuses, fast=True),
    Case("container-sockets", "python3", "python3", "clients that reset, a port that is taken", check_sockets),
]
