#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What nacre exec holds: an idle enclave is small, and nothing grows with the number of operations.

Each kind of operation runs in two enclaves, one with a tenth of the operations of the other; what
is held at the end (pages less free heap, and the memory of the whole process) may not differ.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

NACRE = os.environ["NACRE"]
LEAK_OPS = os.environ["LEAK_OPS"]
HELLO = os.environ["BENCH_HELLO"]
PAGE = 4096
HELLO_MAX = 24 << 20
# Address space randomization and the order of threads move a few pages.
SLACK_PAGES = 128
SLACK_PROCESS = 4 << 20


class Held:
    """Runs argv in an enclave: .pages held at the end, .peak, .process (bytes)."""

    def __init__(self, *argv):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "stats.json")
            with open(os.path.join(d, "out"), "w+b") as out:
                child = subprocess.Popen([NACRE, "exec", "--quiet", "--stats", "--", *argv],
                                         stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         env=dict(os.environ, NACRE_STATS=path, NACRE_MODE="soft"))
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
                out.seek(0)
                self.output = out.read().decode()
            if child.returncode != 0:
                raise AssertionError(f"{argv}: exit {child.returncode}: {self.output}")
            with open(path, encoding="utf-8") as f:
                stats = json.load(f)
        self.pages = stats["pages_committed"] - stats["heap_free_pages"]
        self.peak = stats["pages_peak"]
        self.process = usage.ru_maxrss * 1024


class Memory(unittest.TestCase):
    def grown(self, work, count):
        """(pages, bytes of the process) more after `count` operations than after a tenth."""
        few = Held(LEAK_OPS, work, str(count // 10))
        many = Held(LEAK_OPS, work, str(count))
        self.assertEqual(many.output, f"{count}\n")
        print(f"# {work}: {count // 10} ops hold {few.pages} pages, {count} hold {many.pages}; "
              f"process {few.process >> 10} and {many.process >> 10} KiB", file=sys.stderr)
        return many.pages - few.pages, many.process - few.process

    def steady(self, work, count):
        pages, process = self.grown(work, count)
        self.assertLessEqual(pages, SLACK_PAGES, f"{count} {work} leave pages behind")
        self.assertLessEqual(process, SLACK_PROCESS, f"{count} {work} leave host memory behind")

    def test_idle_enclave_is_small(self):
        held = Held(HELLO)
        self.assertEqual(held.output, "hello\n")
        print(f"# hello: peak {held.peak} pages, {held.peak * PAGE / (1 << 20):.1f} MiB",
              file=sys.stderr)
        self.assertGreater(held.peak, 256)  # counts are counted: no enclave is this small
        self.assertLessEqual(held.peak * PAGE, HELLO_MAX)

    def test_a_million_opens_hold_nothing(self):
        self.steady("opens", 1000000)

    def test_ten_thousand_threads_hold_nothing(self):
        self.steady("threads", 10000)

    def test_a_hundred_thousand_sockets_and_pipes_hold_nothing(self):
        self.steady("sockets", 100000)

    def test_mappings_hold_nothing(self):
        self.steady("maps", 20000)

    def test_code_that_comes_and_goes_holds_nothing(self):
        self.steady("code", 20000)
        self.steady("code-beside", 20000)

    def test_what_is_kept_is_seen(self):
        """Descriptors are closed before the counts are taken, so it is the peak that shows them."""
        few, many = Held(LEAK_OPS, "keep", "20"), Held(LEAK_OPS, "keep", "200")
        self.assertGreater(many.peak - few.peak, 180 * 65536 // PAGE - SLACK_PAGES)
        self.assertGreater(many.process - few.process, SLACK_PROCESS)

    def test_reports_outlive_the_programs_own_standard_error(self):
        env = {k: v for k, v in os.environ.items() if k != "NACRE_STATS"}
        for closing in ([], ["close"]):
            r = subprocess.run([NACRE, "exec", "--quiet", "--stats", "--syscall-report", "--",
                                LEAK_OPS, "maps", "10", *closing], env=env, check=False,
                               capture_output=True, text=True, timeout=60)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(r.stdout, "10\n")
            self.assertIn("syscall-report: ", r.stderr)
            self.assertGreater(json.loads(r.stderr[r.stderr.index("{"):])["exits"], 0)


if __name__ == "__main__":
    unittest.main()
