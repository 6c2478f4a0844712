#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Services and language runtimes from Debian's packages, natively and in the enclave, compared.

usage: run_services.py NACRE WORK_DIR [--fast | --slow] [--only SUBSTRING] [--json FILE] [--no-load] [--no-rewrite]

Native Linux is the oracle: a case passes when both sides gave the same answers. --fast runs the cases of
`make test`, --slow the others. --json adds what was run to FILE, of which tools/gen_compatibility.py makes
docs/compatibility.md. Prints TAP.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import traceback

from services import all_cases
from services.harness import Box, Enclave, Failed, Native

LOAD_ROUNDS = 3


def version_of(package):
    r = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, text=True, check=False)
    return r.stdout.strip() if r.returncode == 0 else "not packaged"


def missing(case):
    """Why the case cannot run here, or None."""
    for program in (case.program, *case.needs):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian package {case.package}; tools/bootstrap --apps installs it)"
    return None


def side_of(name, box, args):
    if name == "native":
        return Native(box)
    return Enclave(box, os.path.abspath(args.nacre), ["--no-rewrite"] if args.no_rewrite else [])


def one_side(name, work, args, function):
    """What the function saw on that side, and the exits of everything it started."""
    box = Box(work)
    side = side_of(name, box, args)
    try:
        seen = function(side, box)
        for p in side.started:
            if p.popen.poll() is None:
                p.stop()
        exits = [p.exits() for p in side.started]
        return seen, None if not exits or None in exits else sum(exits)
    finally:
        side.end()
        box.remove()


def differences(want, got):
    lines = []
    for i in range(max(len(want), len(got))):
        w = want[i] if i < len(want) else "nothing"
        g = got[i] if i < len(got) else "nothing"
        if w != g:
            lines += [f"native  {w!r:.600}", f"enclave {g!r:.600}"]
    return lines[:8]


def measure(case, work, args, idle_exits):
    """Ratio of rates (medians, by turns) and exits an operation. The exits of a run without load are taken off."""
    rounds = []
    for _ in range(LOAD_ROUNDS):
        native, _ = one_side("native", work, args, case.load)
        inside, exits = one_side("enclave", work, args, case.load)
        rounds.append((native.ops / native.seconds, inside.ops / inside.seconds))
    rates = [statistics.median(x) for x in zip(*rounds)]
    per_op = None if exits is None or idle_exits is None else max(0, exits - idle_exits) / (inside.ops + inside.before)
    return {"operation": case.operation, "ratio": round(rates[1] / rates[0], 3), "native_per_second": round(rates[0], 1),
            "enclave_per_second": round(rates[1], 1), "exits_per_op": None if per_op is None else round(per_op, 2)}


def run_case(case, args):
    """(state, lines, record)"""
    work = os.path.join(os.path.abspath(args.work), case.name)
    record = {"name": case.name, "program": case.program, "package": case.package,
              "version": version_of(case.package), "what": case.what, "limits": case.limits}
    lines = []
    begin = time.monotonic()
    try:
        want, _ = one_side("native", work, args, case.check)
        native_seconds = time.monotonic() - begin
        got, exits = one_side("enclave", work, args, case.check)
        lines = differences(want, got)
        record["verdict"] = "differs" if lines else case.stops or "same as native"
        record["seconds"] = [round(native_seconds, 2), round(time.monotonic() - begin - native_seconds, 2)]
        record["exits"] = exits
        if case.load and not args.no_load and not lines:
            _, idle_exits = one_side("enclave", work, args, case.idle)
            record["load"] = measure(case, work, args, idle_exits)
    except (Failed, OSError, subprocess.SubprocessError) as e:
        lines = [x for x in traceback.format_exc().splitlines()[-12:]]
        record["verdict"] = f"failed: {e}"[:300]
    return "not ok" if lines else "ok", lines, record


def save(path, records):
    """Adds to what earlier runs wrote: the fast and the slow cases run apart."""
    try:
        with open(path, encoding="utf-8") as f:
            table = {x["name"]: x for x in json.load(f)}
    except (OSError, ValueError):
        table = {}
    table.update({x["name"]: x for x in records})
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(list(table.values()), f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("nacre")
    p.add_argument("work")
    p.add_argument("--fast", action="store_true", help="the cases of make test")
    p.add_argument("--slow", action="store_true", help="the others")
    p.add_argument("--only", default="")
    p.add_argument("--json")
    p.add_argument("--no-load", action="store_true", help="compare, measure nothing")
    p.add_argument("--no-rewrite", action="store_true")
    args = p.parse_args()
    cases = [c for c in all_cases() if args.only in c.name and (args.fast == args.slow or c.fast == args.fast)]
    print(f"1..{len(cases)}" if cases else "1..0 # SKIP no case has this name")
    failed, records = 0, []
    for number, case in enumerate(cases, 1):
        reason = missing(case)
        if reason:
            print(f"ok {number} - {case.name} # SKIP {reason}", flush=True)
            continue
        state, lines, record = run_case(case, args)
        records.append(record)
        print(f"{state} {number} - {case.name}", flush=True)
        if "load" in record:
            lines = lines + [f"{record['load']}"]
        for line in lines:
            print("#   " + line)
        failed += state != "ok"
    if args.json:
        save(args.json, records)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
