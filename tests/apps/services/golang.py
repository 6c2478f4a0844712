# SPDX-License-Identifier: Apache-2.0
"""Go: static binaries, with and without cgo, built when the test runs."""
import os
import subprocess

from .harness import Case, Failed, free_port
from .nginx import wrk
from .web import conversation

PACKAGE = "golang-go"
HERE = os.path.dirname(os.path.abspath(__file__))


def build(box, name, cgo="0"):
    env = dict(os.environ, CGO_ENABLED=cgo, GO111MODULE="off", GOCACHE=os.path.join(os.path.dirname(box.path), "gocache"),
               GOPATH=box.path)
    out = box.file(name)
    r = subprocess.run(["go", "build", "-o", out, os.path.join(HERE, "go", name + ".go")], env=env, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
    if r.returncode:
        raise Failed(f"go build: {r.stdout[-500:]}")
    return out


def check_stress(side, box):
    binary = build(box, "stress")
    return [(n, side.run([binary], env={"GOMAXPROCS": n, "GOGC": gc})[:2]) for n, gc in (("1", "100"), ("4", "20"))]


def start(side, box, cgo="0"):
    port = free_port()
    return port, side.start([build(box, "server", cgo), f"127.0.0.1:{port}"], env={"GOMAXPROCS": "4"}, ready=port)


def check_server(side, box):
    port, server = start(side, box)
    return conversation(port, 16) + [("exit status", server.stop()), ("output", server.out)]


def check_cgo(side, box):
    port, server = start(side, box, "1")
    return conversation(port) + [("exit status", server.stop()), ("output", server.out)]


def load(side, box):
    port, _ = start(side, box)
    return wrk(port, "/x")


CASES = [
    Case("go", "go", PACKAGE, "static binary: goroutines, channels, timers, file system, garbage collection with GOMAXPROCS 1 and 4, "
         "panic and recover from a nil pointer", check_stress),
    Case("go-http", "go", PACKAGE, "net/http server, GOMAXPROCS 4, 16 clients, SIGTERM by signal.Notify", check_server, load=load,
         idle=start, operation="GET, 16 connections of wrk", needs=("wrk",)),
    Case("go-cgo", "go", PACKAGE, "the same server, dynamic with cgo", check_cgo, needs=("gcc",)),
]
