# SPDX-License-Identifier: Apache-2.0
"""redis-server, spoken to in its own protocol and by its own client and benchmark."""
import re
import subprocess
import time

from .harness import Case, Failed, LineClient, Load, free_port

PACKAGE = "redis-server"
REQUESTS = 60000


class Client(LineClient):
    """Enough of RESP2 to compare answers byte for byte."""

    @staticmethod
    def encode(*words):
        out = [b"*%d\r\n" % len(words)]
        for w in words:
            w = w if isinstance(w, bytes) else str(w).encode()
            out += [b"$%d\r\n" % len(w), w, b"\r\n"]
        return b"".join(out)

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Failed(f"redis closed the connection in mid-answer: {line!r}")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
        return line[:-2]

    def call(self, *words):
        self.socket.sendall(self.encode(*words))
        return self.answer()


def start(side, port, *options):
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", side.box.path, *options]
    return side.start([str(x) for x in argv], ready=port)


def conversation(port):
    c = Client(port)
    big = bytes(range(256)) * 8192  # 2 MiB
    script = "local s = 0 for i = 1, 100000 do s = s + i end return {s, redis.call('get', KEYS[1])}"
    seen = []
    for words in (("PING",), ("SET", "a", "1"), ("GET", "a"), ("GET", "missing"), ("INCRBY", "a", 41),
                  ("APPEND", "a", "x"), ("GET", "a"), ("INCR", "a"), ("SETRANGE", "r", 5, "hello"), ("GET", "r"),
                  ("MSET", "k1", "v1", "k2", "v2"), ("MGET", "k1", "k2", "k3"),
                  ("RPUSH", "l", *range(1000)), ("LRANGE", "l", 0, -1), ("LPOP", "l", 3),
                  ("HSET", "h", "f", "v", "g", "w"), ("HGETALL", "h"),
                  ("ZADD", "z", 3, "c", 1, "a", 2, "b"), ("ZRANGE", "z", 0, -1, "WITHSCORES"),
                  ("SADD", "s", *range(50)), ("SCARD", "s"), ("PFADD", "p", *range(1000)), ("PFCOUNT", "p"),
                  ("XADD", "x", "1-1", "k", "v"), ("XRANGE", "x", "-", "+"),
                  ("GEOADD", "g", 13.361389, 38.115556, "P", 15.087269, 37.502669, "C"), ("GEODIST", "g", "P", "C"),
                  ("EVAL", script, 1, "a"), ("SET", "big", big), ("STRLEN", "big"), ("GETRANGE", "big", -300, -1),
                  ("OBJECT", "ENCODING", "l"), ("TYPE", "h"), ("DEBUG", "SLEEP", "0"), ("NOSUCH", "command"),
                  ("SET", "t", "v", "PX", 30), ("CONFIG", "GET", "appendonly"), ("DBSIZE",)):
        seen.append((" ".join(str(w)[:20] for w in words[:4]), c.call(*words)))
    time.sleep(0.05)
    seen.append(("expired", c.call("GET", "t")))
    c.socket.sendall(b"".join(Client.encode("INCR", "n") for _ in range(20000)))
    seen.append(("pipelined", [c.answer() for _ in range(20000)][-1]))
    seen.append(("big value", c.call("GET", "big") == big))
    seen += transaction(port, c) + subscription(port, c)
    c.close()
    return seen


def transaction(port, c):
    other = Client(port)
    seen = [("watch", c.call("WATCH", "w")), ("other's write", other.call("SET", "w", 1)), ("multi", c.call("MULTI")),
            ("queued", c.call("SET", "w", 2)), ("exec", c.call("EXEC")), ("w", c.call("GET", "w"))]
    other.close()
    return seen


def subscription(port, c):
    listener = Client(port)
    seen = [("subscribe", listener.call("SUBSCRIBE", "news"))]
    seen.append(("publish", c.call("PUBLISH", "news", "x" * 100000)))
    seen.append(("message", listener.answer()))
    listener.close()
    blocked = Client(port)
    blocked.socket.sendall(Client.encode("BLPOP", "queue", 0))
    time.sleep(0.05)
    seen.append(("push", c.call("RPUSH", "queue", "job")))
    seen.append(("blpop", blocked.answer()))
    blocked.close()
    return seen


def check(side, box):
    port = free_port()
    server = start(side, port)
    seen = conversation(port)
    crowd = [Client(port) for _ in range(200)]
    seen.append(("200 clients", {x.call("PING") for x in crowd}))
    for x in crowd:
        x.close()
    server.stop()
    seen.append(("exit status", server.popen.returncode))
    seen.append(("said goodbye", b"ready to exit, bye bye" in server.out))
    return seen


def check_threads(side, box):
    port = free_port()
    server = start(side, port, "--io-threads", "3", "--io-threads-do-reads", "yes")
    out = subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set,get,lpush,lrange_100,mset", "-n", "3000", "-c", "30",
                          "-P", "4", "--threads", "2", "--csv"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=60, check=False)
    seen = [("benchmark", out.returncode), ("tests", [x.split(b'","')[0] for x in out.stdout.splitlines()
                                                      if x.startswith(b'"')])]
    seen += conversation(port)
    seen.append(("exit status", server.stop()))
    return seen


def wait_for(c, section, field, value):
    for _ in range(1000):
        info = dict(x.split(b":", 1) for x in c.call("INFO", section).splitlines() if b":" in x)
        if info.get(field) == value:
            return info
        time.sleep(0.02)
    raise Failed(f"{field.decode()} does not become {value.decode()}: {info.get(field)}")


def check_save(side, box):
    """A child writes the snapshot and the rewritten log while the parent goes on."""
    port = free_port()
    server = start(side, port)
    c = Client(port)
    for i in range(0, 20000, 1000):
        c.socket.sendall(b"".join(Client.encode("SET", f"k{k}", "v" * (k % 100)) for k in range(i, i + 1000)))
        [c.answer() for _ in range(1000)]
    seen = [("bgsave", c.call("BGSAVE"))]
    seen.append(("meanwhile", c.call("SET", "later", 1), c.call("GET", "k77")))
    info = wait_for(c, "persistence", b"rdb_bgsave_in_progress", b"0")
    seen.append(("saved", info[b"rdb_last_bgsave_status"], c.call("EXISTS", "k19999")))
    seen.append(("aof on", c.call("CONFIG", "SET", "appendonly", "yes")))
    wait_for(c, "persistence", b"aof_rewrite_in_progress", b"0")
    c.call("SET", "after", 2)
    seen.append(("rewrite", c.call("BGREWRITEAOF")))
    time.sleep(0.1)
    info = wait_for(c, "persistence", b"aof_rewrite_in_progress", b"0")
    seen.append(("rewritten", info[b"aof_last_bgrewrite_status"], info[b"aof_last_write_status"]))
    seen.append(("loads what it wrote", c.call("DEBUG", "RELOAD"), c.call("DBSIZE"), c.call("GET", "k99")))
    c.close()
    seen.append(("exit status", server.stop()))
    return seen


# A supervisor: the file is in the family's file system, which outlives the member that ends.
SUPERVISOR = """
run() { redis-server --port $1 --bind 127.0.0.1 --save '' --appendonly yes --appendfsync always --dir "$2" & }
run "$@"; wait $!; echo "first ended with $?"
run "$@"; trap "kill -TERM $!" TERM; server=$!; wait $server; wait $server; echo "second ended with $?"
"""


def check_restart(side, box):
    """Ended without a snapshot and started again beside its parent: everything that was acknowledged is there."""
    port = free_port()
    server = side.start(["bash", "-c", SUPERVISOR, "bash", str(port), box.path], ready=port)
    c = Client(port)
    for i in range(300):
        c.call("SET", f"k{i}", "v" * i)
    seen = [("rewrite", c.call("BGREWRITEAOF"))]
    wait_for(c, "persistence", b"aof_rewrite_in_progress", b"0")
    seen.append(("after it", [c.call("INCR", "n") for _ in range(50)]))
    c.call("SET", "dying", 1)
    c.socket.sendall(Client.encode("SHUTDOWN", "NOSAVE", "NOW", "FORCE"))
    server.wait_until(b"first ended with")
    server.wait_until(port)
    c.close()
    c = Client(port)
    wait_for(c, "persistence", b"loading", b"0")
    seen.append(("again", c.call("DBSIZE"), c.call("GET", "n"), c.call("GET", "k299"), c.call("GET", "dying")))
    c.close()
    seen.append(("exit status", server.stop()))
    return seen + [x for x in server.out.splitlines() if b" ended with " in x]


def benchmark(port, test, pipeline=1, requests=REQUESTS):
    out = subprocess.run(["redis-benchmark", "-p", str(port), "-t", test, "-n", str(requests), "-c", "50",
                          "-P", str(pipeline), "--csv"], stdout=subprocess.PIPE, timeout=120, check=True).stdout.decode()
    rate = re.search(rf'^"{test.upper()}","([0-9.]+)"', out, re.M)
    if not rate:
        raise Failed(f"redis-benchmark said no rate: {out[-300:]}")
    return Load(requests, requests / float(rate.group(1)))


def load(side, box):
    port = free_port()
    start(side, port)
    return benchmark(port, "get")


def idle(side, box):
    start(side, free_port())


CASES = [
    Case("redis", "redis-server", PACKAGE, "commands of every type, scripts, transactions, publish and subscribe, "
         "blocking pops, 20,000 pipelined, 2 MiB values, 200 clients, SIGTERM", check, fast=True, load=load, idle=idle,
         operation="GET, 50 clients"),
    Case("redis-save", "redis-server", PACKAGE, "BGSAVE, appendonly and BGREWRITEAOF in children, DEBUG RELOAD of what they wrote",
         check_save),
    Case("redis-restart", "redis-server", PACKAGE, "below bash, appendfsync always: BGREWRITEAOF, ended without saving, started again from the same "
         "directory with all data", check_restart, needs=("bash",)),
    Case("redis-io-threads", "redis-server", PACKAGE, "three I/O threads under redis-benchmark with two", check_threads,
         needs=("redis-benchmark",)),
]
