# SPDX-License-Identifier: Apache-2.0
"""memcached with four threads: the text protocol, and a load of many connections."""
import random
import threading
import time

from .harness import Case, Failed, LineClient, Load, free_port

PACKAGE = "memcached"
CLIENTS = 4
ROUNDS = 400
BATCH = 20


class Client(LineClient):
    def line(self):
        return self.file.readline().rstrip(b"\r\n")

    def command(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.line()

    def store(self, verb, key, value, flags=0, seconds=0):
        self.socket.sendall(f"{verb} {key} {flags} {seconds} {len(value)}\r\n".encode() + value + b"\r\n")
        return self.line()

    def values(self):
        found = {}
        while (head := self.line()) != b"END":
            if not head.startswith(b"VALUE "):
                raise Failed(f"memcached answered {head!r}")
            _, key, flags, size = head.split()[:4]
            found[key] = flags, self.file.read(int(size) + 2)[:-2]
        return found

    def get(self, *keys):
        self.socket.sendall(b"get " + " ".join(keys).encode() + b"\r\n")
        return self.values()


def start(side, port):
    return side.start(["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-t", "4", "-m", "128", "-I", "2m"],
                      ready=port)


def conversation(port):
    c = Client(port)
    big = random.Random(1).randbytes(1 << 20)
    seen = [("set", c.store("set", "a", b"one", 7)), ("get", c.get("a")), ("add", c.store("add", "a", b"two")),
            ("replace", c.store("replace", "a", b"three")), ("append", c.store("append", "a", b"+")),
            ("gets several", c.get("a", "b", "c")), ("number", c.store("set", "n", b"41")), ("incr", c.command("incr n 1")),
            ("decr", c.command("decr n 100")), ("no number", c.command("incr a 1")), ("delete", c.command("delete n")),
            ("again", c.command("delete n")), ("big", c.store("set", "big", big)), ("big back", c.get("big")["big".encode()][1] == big),
            ("too big", c.store("set", "huge", b"x" * (3 << 20))), ("unknown", c.command("frobnicate")),
            ("expiring", c.store("set", "soon", b"x", 0, 1)), ("version", c.command("version"))]
    seen.append(("touched", c.command("touch a 100")))
    c.close()
    return seen


def traffic(port, seed, rounds, failures):
    """Writes and reads in the proportion of memtier: one to ten. What was read must be what was written."""
    c, rng, mine = Client(port), random.Random(seed), {}
    for _ in range(rounds):
        key = f"k{seed}-{rng.randrange(100)}"
        mine[key] = rng.randbytes(rng.choice((10, 100, 1000, 8000)))
        if c.store("set", key, mine[key]) != b"STORED":
            failures.append(f"{key} not stored")
        keys = rng.sample(sorted(mine), min(len(mine), BATCH // 2))
        for k, (_, value) in c.get(*keys).items():
            if value != mine[k.decode()]:
                failures.append(f"{k!r} is another value")
    c.close()


def crowd(port, clients, rounds):
    failures = []
    threads = [threading.Thread(target=traffic, args=(port, i, rounds, failures)) for i in range(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return failures


def check(side, box):
    port = free_port()
    server = start(side, port)
    seen = conversation(port)
    time.sleep(2.1)  # its clock ticks in seconds
    c = Client(port)
    seen.append(("expired", c.get("soon")))
    idle = [Client(port) for _ in range(100)]
    seen += [("crowd", crowd(port, 8, 50)), ("idle ones", {x.command("touch none 1") for x in idle})]
    c.close()
    for x in idle:
        x.close()
    seen.append(("exit status", server.stop()))
    return seen


def load(side, box):
    port = free_port()
    start(side, port)
    begin = time.monotonic()
    failures = crowd(port, CLIENTS, ROUNDS)
    if failures:
        raise Failed(failures[0])
    return Load(CLIENTS * ROUNDS * 2, time.monotonic() - begin)


def idle(side, box):
    start(side, free_port())


CASES = [
    Case("memcached", "memcached", PACKAGE, "-t 4: the text protocol, expiry, values of 1 MiB, 8 busy and 100 idle clients, SIGTERM",
         check, fast=True, load=load, idle=idle, operation="set, or get of ten, 4 clients"),
]
