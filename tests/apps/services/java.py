# SPDX-License-Identifier: Apache-2.0
"""OpenJDK: a server, threads and the garbage collectors. Sources run by `java FILE.java`, the compiler included."""
import dataclasses
import os

from .harness import Case, Failed, free_port
from .nginx import wrk
from .web import conversation

PACKAGE = "openjdk-17-jdk-headless"
HERE = os.path.dirname(os.path.abspath(__file__))


def source(name):
    return os.path.join(HERE, "java", name)


def check_hello(side, box):
    return [("hello", side.run(["java", source("Hello.java"), "a b", "c"])[:2]),
            ("interpreted", side.run(["java", "-Xint", source("Hello.java")])[:2]),
            ("version", side.run(["java", "-version"])[::2])]


def check_gc(side, box):
    seen = []
    for collector in ("-XX:+UseG1GC", "-XX:+UseParallelGC", "-XX:+UseSerialGC"):
        seen.append((collector, side.run(["java", "-Xmx2g", collector, source("Garbage.java")], seconds=240)[:2]))
    if side.inside:  # what `limits` says must stay true
        code, out, err = side.run(["java", "-Xmx2g", "-XX:+UseZGC", source("Garbage.java")], seconds=240)
        if code != 1 or b"reserve enough address space" not in out + err:
            raise Failed(f"ZGC was to refuse to start, and not in another way: {code} {out[-200:]!r}")
    return seen


def start(side, box):
    port = free_port()
    return port, side.start(["java", "-Xmx512m", "-Dsun.net.httpserver.nodelay=true", source("Server.java"), str(port)], ready=port)


def check_server(side, box):
    port, server = start(side, box)
    return conversation(port) + [("exit status", server.stop()), ("output", server.out)]


def load(side, box):
    port, _ = start(side, box)
    before = wrk(port, "/x", seconds=2).ops  # compiled by now
    return dataclasses.replace(wrk(port, "/x", seconds=2), before=before)


def check_jshell(side, box):
    script = box.file("script.jsh", 'int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\nSystem.out.println(f(20));\n'
                      'IntStream.range(0, 5).mapToObj(i -> "n" + i).toList()\nint broken = "x";\n/exit 3\n')
    return [("jshell", side.run(["jshell", "-s", "--no-startup", "-R-Xint", script], seconds=240)[:2]),
            ("default", side.run(["jshell", "--execution", "local", script], seconds=240)[:2])]


def check_processes(side, box):
    return [("processes", side.run(["java", source("Processes.java")])[:2])]


CASES = [
    Case("java", "java", PACKAGE, "HelloWorld from source (its compiler runs too), exceptions, NullPointerException and StackOverflowError "
         "by signal, interpreter alone", check_hello),
    Case("java-gc", "java", PACKAGE, "8 threads of garbage with -Xmx2g: G1, Parallel, Serial; OutOfMemoryError", check_gc,
         limits="ZGC does not start: it wants its heap between 4 and 20 TiB, an enclave ends at 1 TiB"),
    Case("java-processes", "java", PACKAGE, "ProcessBuilder: pipes, environment, exit statuses, a program that is not there", check_processes),
    Case("jshell", "jshell", PACKAGE, "a script, with its own process for the snippets and without", check_jshell),
    Case("java-http", "java", PACKAGE, "com.sun.net.httpserver: 8 clients, uploads, shutdown hook at SIGTERM", check_server, load=load,
         idle=start, operation="GET, 16 connections of wrk", needs=("wrk",)),
]
