#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small Linux programs, natively and in the enclave: same output, same exit status.

usage: run_linuxapp.py NACRE BUILD_DIR [--variant dynamic,static,musl] [--only SUBSTRING]
                       [--no-rewrite] [--native] [--jobs N]

Each tests/linuxapp/*.c is compiled once a variant and run twice; native Linux is the oracle, so a
program prints nothing that may differ between two runs of itself (addresses, pids, times).
Directives in a program's first comment lines:
    args: A B       command line                not: musl REASON    leave this variant out
    env: K=V        one more variable           stdin: TEXT         what it reads (\\n is a new line)
    nice: 0         it begins at that niceness, whatever these tests run at
Prints TAP.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WARN = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-infinite-recursion"]
COMPILE = {
    "dynamic": ["gcc", "-O1", "-D_GNU_SOURCE", "-pthread"] + WARN,
    "static": ["gcc", "-O1", "-D_GNU_SOURCE", "-pthread", "-static"] + WARN,
    "static-pie": ["gcc", "-O1", "-D_GNU_SOURCE", "-pthread", "-static-pie", "-fPIE"] + WARN,
    # the kernel's headers come behind musl's own
    "musl": ["musl-gcc", "-O1", "-D_GNU_SOURCE", "-pthread", "-static", "-idirafter", "/usr/include",
             "-idirafter", "/usr/include/x86_64-linux-gnu"],
}
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}
TIMEOUT = 60


class Program:
    def __init__(self, source, variant, build):
        self.name = os.path.basename(source)[:-2]
        self.source = source
        self.variant = variant
        self.binary = os.path.join(build, variant, self.name)
        self.args, self.stdin, self.env, self.left_out = [], b"", dict(ENV), {}
        self.prefix = []
        with open(source, encoding="utf-8") as f:
            for line in f.read().split("#include", 1)[0].splitlines():
                m = re.search(r"\b(args|stdin|env|not|nice): (.*?)(?: \*/)?$", line)
                if not m:
                    continue
                key, value = m.groups()
                if key == "args":
                    self.args = value.split()
                elif key == "nice" and os.nice(0) != int(value):
                    self.prefix = ["nice", "-n", str(int(value) - os.nice(0))]
                    if os.geteuid() != 0 and os.nice(0) > int(value):
                        self.left_out[variant] = "only root can lower the niceness these tests run at"
                elif key == "stdin":
                    self.stdin = value.replace("\\n", "\n").encode()
                elif key == "env":
                    k, v = value.split("=", 1)
                    self.env[k] = v
                elif key == "not":
                    words = value.split(None, 1)
                    self.left_out[words[0]] = words[1] if len(words) > 1 else "no reason given"

    def compile(self):
        if (os.path.exists(self.binary) and
                os.path.getmtime(self.binary) >= os.path.getmtime(self.source)):
            return None
        os.makedirs(os.path.dirname(self.binary), exist_ok=True)
        r = subprocess.run(COMPILE[self.variant] + ["-o", self.binary, self.source, "-lrt", "-lm"],
                           stderr=subprocess.PIPE, text=True, check=False)
        return r.stderr[-2000:] if r.returncode else None

    def run(self, prefix):
        argv = self.prefix + prefix + [self.binary] + self.args
        with subprocess.Popen(argv, env=self.env, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/") as p:
            try:
                out, err = p.communicate(self.stdin, TIMEOUT)
                code = p.returncode if p.returncode >= 0 else 128 - p.returncode
            except subprocess.TimeoutExpired:
                p.kill()
                out, err = p.communicate()
                code = "timeout"
        for left in glob.glob(f"/tmp/nacre-app-{p.pid}-*"):  # of a program that did not end by itself
            shutil.rmtree(left, ignore_errors=True)
        return code, out, err


def one(program, nacre, options):
    """(state, lines): 'ok', 'not ok' or 'skip', and what to print below it."""
    if program.variant in program.left_out:
        return "skip", [program.left_out[program.variant]]
    errors = program.compile()
    if errors:
        return "not ok", ["does not compile:"] + errors.splitlines()
    want = program.run([])
    if options["native"]:
        got = program.run([])
    else:
        env = [x for k, v in program.env.items() for x in ("--env", f"{k}={v}")]
        got = program.run([nacre, "exec"] + env + options["flags"] + ["--"])
    if want[:2] == got[:2] and want[0] != "timeout":
        return "ok", []
    return "not ok", [f"native  exit {want[0]} stdout {want[1][-400:]!r}",
                      f"enclave exit {got[0]} stdout {got[1][-400:]!r}",
                      f"enclave stderr {got[2][-800:]!r}"]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("nacre")
    p.add_argument("build")
    p.add_argument("--variant", default="dynamic")
    p.add_argument("--only", default="")
    p.add_argument("--no-rewrite", action="store_true")
    p.add_argument("--native", action="store_true", help="the oracle against itself")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    args = p.parse_args()
    options = {"native": args.native, "flags": ["--no-rewrite"] if args.no_rewrite else []}
    nacre = os.path.abspath(args.nacre)
    programs = []
    for variant in args.variant.split(","):
        if shutil.which(COMPILE[variant][0]) is None:
            print(f"# {COMPILE[variant][0]} is not installed: variant {variant} left out")
            continue
        programs += [Program(s, variant, os.path.abspath(args.build))
                     for s in sorted(glob.glob(os.path.join(HERE, "*.c"))) if args.only in s]
    print(f"1..{len(programs)}" if programs else "1..0 # SKIP no compiler for this variant")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = [pool.submit(one, x, nacre, options) for x in programs]
        for n, (program, future) in enumerate(zip(programs, work), 1):
            state, lines = future.result()
            label = f"{n} - {program.name} ({program.variant})"
            if state == "skip":
                print(f"ok {label} # SKIP {lines[0]}", flush=True)
                continue
            print(f"{state} {label}", flush=True)
            for line in lines:
                print("#   " + line)
            failed += state != "ok"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
