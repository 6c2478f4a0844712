#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs modules of CPython's own test-suite natively (chroot) and in the enclave and compares case by case.

usage: run_cpython.py NACRE CACHE [--root DIR] [--only MODULE[,MODULE]] [--log FILE] [--no-rewrite]

A case that passes natively and fails, errors, hangs, is skipped or never reported in the enclave is a difference.
Differences that need a second process (the case or its traceback says so) are counted as one group, except in
the modules that are about processes; every other one must stand in cpython-expected.txt (a case or a pattern) with its reason. A new one fails the module; one that vanished is
reported. Prints TAP. Needs root for chroot, and a mirror (mmdebstrap) unless the root is in CACHE already.
"""
import argparse
import fnmatch
import json
import os
import re
import select
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["python3", "libpython3.11-testsuite"]
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LC_ALL": "C.UTF-8", "TZ": "UTC",
       "PYTHONDONTWRITEBYTECODE": "1"}
MODULES = ("test_os test_posix test_io test_fileio test_mmap test_threading test_thread test_queue test_signal "
           "test_select test_selectors test_epoll test_poll test_socket test_ssl test_time test_tempfile "
           "test_stat test_glob test_pathlib test_shutil test_zipfile test_json test_ctypes "
           "test_asyncio").split()  # Debian's package has no test_sqlite3: py/sqlite.py stands for it
PROCESS_MODULES = "test_fork1 test_wait3 test_wait4 test_popen test_pty test_subprocess".split()
CASE_SECONDS = 60     # without a line from the driver: the case hangs
MODULE_SECONDS = 900
RESTARTS = 8          # processes per module that may hang or die
FORK = re.compile(r"\bfork|_fork_exec|posix_spawn|forkpty|fork_", re.I)
BAD = {"fail", "error", "hang", "died", "unexpected", "skip", "missing"}


def watch(process, results):
    """Reads reports until the end; returns None when complete, or (case, why) that ended it early."""
    current, buffered, deadline = None, b"", time.monotonic() + MODULE_SECONDS
    tail = b""
    while True:
        left = min(CASE_SECONDS, deadline - time.monotonic())
        ready = select.select([process.stderr], [], [], max(left, 0))[0]
        if not ready:
            text = tail.decode(errors="replace")  # a thread that could not fork leaves the case waiting for it
            return current, {"status": "hang", "text": text, "process": bool(FORK.search(text))}
        data = os.read(process.stderr.fileno(), 65536)
        if not data:
            text = f"exit {process.wait()}: " + tail.decode(errors="replace")
            return current, {"status": "died", "text": text, "process": False}
        *lines, buffered = (buffered + data).split(b"\n")
        for line in lines:
            if not line.startswith(b"@@ "):
                tail = (tail + line + b"\n")[-1500:]
                continue
            fields = json.loads(line[3:])
            if "done" in fields:
                return None
            if "start" in fields:
                current, tail = fields["start"], b""
            elif results.get(fields["id"], {}).get("status") not in ("fail", "error"):
                results[fields["id"]] = fields


def run_module(prefix, env, module, driver, only=None):
    """{case: {status, text, process}} of the module, restarted behind each case that hangs or kills it."""
    results, skip = {}, set()
    for _ in range(RESTARTS):
        choice = json.dumps({"skip": sorted(skip | set(results)), "only": only})
        with subprocess.Popen(prefix + ["python3", "-c", driver, module, choice], env=env, start_new_session=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as p:
            ended = watch(p, results)
            try:
                os.killpg(p.pid, 9)
            except ProcessLookupError:
                pass
        if ended is None:
            break
        case, why = ended
        case = case or f"test.{module}"
        results[case] = why
        if case in skip or case == f"test.{module}":
            break
        skip.add(case)
    return results


def expected_list():
    table = {}
    with open(os.path.join(HERE, "cpython-expected.txt"), encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if line and not line.startswith("#"):
                case, _, reason = line.partition(" ")
                if not reason.strip():
                    raise SystemExit(f"cpython-expected.txt: {case}: give the reason behind the case")
                table[case] = reason.strip()
    return table


def clean(root):
    subprocess.run(["find", os.path.join(root, "tmp"), "-mindepth", "1", "-delete"], check=True)


class Runner:
    def __init__(self, args, root):
        self.root = root
        with open(os.path.join(HERE, "cpython_cases.py"), encoding="utf-8") as f:
            self.driver = f.read()
        mounts = 'mount -t proc proc "$0/proc" 2>/dev/null; mount --bind /dev "$0/dev" 2>/dev/null; exec chroot "$0" "$@"'
        self.native_prefix = ["unshare", "--mount", "sh", "-c", mounts, root]
        self.enclave_prefix = [args.nacre, "exec", "--quiet", "--root", root]
        self.enclave_prefix += [x for k, v in ENV.items() for x in ("--env", f"{k}={v}")]
        self.enclave_prefix += (["--no-rewrite"] if args.no_rewrite else []) + ["--"]

    def both(self, module, only=None):
        clean(self.root)
        native = run_module(self.native_prefix, ENV, module, self.driver, only)
        clean(self.root)
        return native, run_module(self.enclave_prefix, dict(os.environ), module, self.driver, only)

    def differences(self, module):
        native, enclave = self.both(module)
        differ = compare(native, enclave)
        if module in PROCESS_MODULES:
            for v in differ.values():
                v["process"] = False
        again = {k for k, v in differ.items() if not v["process"] and k in native}
        if again:  # a case that depends on the machine's load is no difference: it must differ twice
            second = compare(*self.both(module, sorted(again)))
            for case in again - set(second):
                print(f"# {case}: differed once, not again alone")
                del differ[case]
        return native, differ


def compare(native, enclave):
    differ = {}
    for case, want in native.items():
        got = enclave.get(case, {"status": "missing", "text": "", "process": False})
        if want["status"] == "ok" and got["status"] in BAD:
            differ[case] = got
    whole = {k: v for k, v in enclave.items() if k not in native and v["status"] in BAD - {"skip"}}
    differ.update(whole)
    return differ


def report(number, module, native, differ, expected, log):
    process = {k for k, v in differ.items() if v["process"]}
    listed = {k for k in differ if any(fnmatch.fnmatchcase(k, pattern) for pattern in expected)}
    new = sorted(set(differ) - process - listed)
    passed = sum(1 for v in native.values() if v["status"] == "ok")
    same = passed - len(set(differ) & set(native))
    ok = passed > 0 and not new
    print(f"{'ok' if ok else 'not ok'} {number} - {module}: {same} of {passed} cases as natively, {len(process)} need "
          f"a second process, {len(listed - process)} expected, {len(new)} new")
    for case in sorted(native) if not passed else []:
        print(f"# natively {case}: {native[case]['status']}: {native[case]['text'].strip()[-300:]!r}")
    for case in new:
        print(f"# {case}: {differ[case]['status']}: {differ[case]['text'].strip()[-300:]!r}")
    for pattern in sorted(expected):
        if fnmatch.filter(native, pattern) and not fnmatch.filter(differ, pattern):
            print(f"# {pattern}: expected to differ and does not: remove it from cpython-expected.txt")
    if log:
        for case in sorted(differ):
            log.write(json.dumps({"case": case, **{k: differ[case][k] for k in ("status", "process", "text")}}) + "\n")
        log.flush()
    sys.stdout.flush()
    return ok


def main():
    p = argparse.ArgumentParser()
    p.add_argument("nacre")
    p.add_argument("cache")
    p.add_argument("--root", help="use this Debian root; its /tmp is emptied")
    p.add_argument("--only")
    p.add_argument("--log", help="write each difference as a line of JSON")
    p.add_argument("--no-rewrite", action="store_true")
    args = p.parse_args()
    modules = args.only.split(",") if args.only else MODULES + PROCESS_MODULES
    if os.geteuid() != 0:
        print("1..0 # SKIP chroot, the native side of the comparison, needs root")
        return 0
    root = args.root or os.path.join(args.cache, "root")
    if not args.root and subprocess.run([os.path.join(HERE, "make-root"), root] + PACKAGES, check=False).returncode:
        print("1..0 # SKIP the Debian root cannot be made: mmdebstrap and a Debian mirror are needed")
        return 0
    expected = expected_list()
    runner = Runner(args, root)
    print(f"1..{len(modules)}", flush=True)
    log = open(args.log, "a", encoding="utf-8") if args.log else None
    good = True
    for number, module in enumerate(modules, 1):
        native, differ = runner.differences(module)
        good &= report(number, module, native, differ, expected, log)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
