#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""--stats, --syscall-report and --strace of an application with several processes: one report for all, a
line for each."""
import json
import os
import re
import subprocess
import unittest

NACRE = os.environ["NACRE"]
# a pipeline, a subshell, a program that asks for what is refused (bpf) and what does not exist
SCRIPT = ("/bin/echo hello | /bin/cat; (exit 3); "
          "/usr/bin/perl -e 'syscall(321, 0, 0, 0) for 1 .. 3; syscall(999)'; exit 7")


def run(*options, script=SCRIPT):
    env = {k: v for k, v in os.environ.items() if k != "NACRE_STATS"}
    return subprocess.run([NACRE, "exec", "--quiet", *options, "--", "/bin/sh", "-c", script], env=env,
                          capture_output=True, text=True, timeout=60, check=False)


class Reports(unittest.TestCase):
    def test_stats_are_one_object_with_each_process(self):
        r = run("--stats")
        self.assertEqual((r.returncode, r.stdout), (7, "hello\n"), r.stderr)
        stats = json.loads(r.stderr)
        family = stats["family"]
        each = family["each"]
        self.assertEqual(family["processes"], len(each))
        self.assertGreaterEqual(len(each), 4)
        self.assertEqual(each[0]["pid"], 1)
        self.assertEqual(len({p["pid"] for p in each}), len(each))
        self.assertTrue({"cat", "perl"} <= {p["command"] for p in each}, each)
        for name in ("exits", "page_faults", "syscall_traps", "page_commits"):
            self.assertEqual(family[name], sum(p[name] for p in each), name)
        self.assertEqual(stats["exits"], each[0]["exits"])
        self.assertEqual(stats["exits"], sum(stats["hostcalls"].values()))
        self.assertEqual(family["exits"], sum(family["hostcalls"].values()))

    def test_one_process_has_no_family(self):
        stats = json.loads(run("--stats", script="exit 7").stderr)
        self.assertNotIn("family", stats)
        self.assertGreater(stats["exits"], 0)
        self.assertGreater(stats["page_faults"], 0)

    def test_names_are_harmless_in_json(self):
        with_quote = r"""perl -e '$0 = "a\"b\\c"; exit 0'; true; exit 7"""
        self.assertGreater(json.loads(run("--stats", script=with_quote).stderr)["family"]["processes"], 1)

    def test_syscall_report_is_of_all(self):
        r = run("--syscall-report")
        lines = [line.split("syscall-report: ", 1)[1] for line in r.stderr.splitlines() if "syscall-report: " in line]
        self.assertTrue(any(re.match(r"bpf refused 3 times", line) for line in lines), lines)
        self.assertIn("1 calls with numbers Linux does not have", lines)
        each = [line for line in lines if line.startswith("process ")]
        self.assertGreaterEqual(len(each), 4)
        perl = [line for line in each if "(perl)" in line]
        self.assertRegex(perl[0], r"process \d+ \(perl\): \d+ refused, 1 not implemented")
        self.assertFalse([line for line in lines if line.startswith("nothing was missing")])

    def test_strace_names_the_process(self):
        r = run("--strace")
        callers = set(re.findall(r"trace: \[(\d+)\]", r.stderr))
        self.assertIn("1", callers)
        self.assertGreaterEqual(len(callers), 4)

    def test_strace_names_threads_of_a_process(self):
        r = run("--strace", script="/usr/bin/python3 -c 'import threading; t = threading.Thread(target=print); "
                                   "t.start(); t.join()'; exit 7")
        self.assertRegex(r.stderr, r"trace: \[(?!1:)\d+:\d+\]")

    def test_a_process_that_dies_of_a_signal_is_counted(self):
        r = run("--stats", script="/bin/sleep 100 & kill -9 $!; wait; /bin/true; exit 7")
        self.assertEqual(r.returncode, 7)
        commands = [p["command"] for p in json.loads(r.stderr[r.stderr.index("{"):])["family"]["each"]]
        self.assertEqual(len(commands), 3, commands)  # the killed one may not have become sleep yet
        self.assertIn("true", commands)


if __name__ == "__main__":
    unittest.main(verbosity=2)
