#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre bench: rows, medians and bench.json as scripts read it. Numbers are not judged here."""
import json
import os
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
KEYS = {"id", "unit", "native", "nacre", "ratio", "exits_per_op", "cpu_us_per_op", "n"}


class Bench(unittest.TestCase):
    def bench(self, code, *words):
        r = subprocess.run([NACRE, "bench", *words], capture_output=True, text=True, check=False,
                           timeout=100, env=dict(os.environ, NACRE_MODE="soft"))
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r

    def test_list_names_rows_once(self):
        ids = [line.split()[0] for line in self.bench(0, "--list").stdout.splitlines()]
        self.assertEqual(len(ids), len(set(ids)))
        for wanted in ("exit-slot", "exit-trap", "aex-eresume", "ereport", "egetkey", "eaccept",
                       "build-4mib", "quote-generate", "quote-verify", "getpid", "clock", "pread-4k",
                       "open-close", "stat", "mmap", "futex-pingpong", "epoll", "socketpair",
                       "socket-pingpong", "thread-create", "py-cpu", "py-start", "hello-start",
                       "raw-gcm", "sealed-first", "sealed-rand", "sealed-second", "sealed-read",
                       "pread-4k-sealed", "open-close-sealed", "stat-sealed", "start-many-files", "convert-220m"):
            self.assertIn(wanted, ids)

    def test_json_has_the_fields_of_the_design(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "bench.json")
            self.bench(0, "ereport", "eaccept", "exit-trap", "quote-verify", "--rounds", "5",
                       "--json", path)
            with open(path, encoding="utf-8") as f:
                rows = json.load(f)
        self.assertEqual([r["id"] for r in rows], ["ereport", "eaccept", "exit-trap", "quote-verify"])
        for row in rows:
            self.assertEqual(set(row), KEYS)
            self.assertGreater(row["native"], 0)
            self.assertGreater(row["nacre"], 0)
            ratio = row["nacre"] / row["native"]  # of numbers printed with six digits
            self.assertAlmostEqual(row["ratio"] / ratio, 1, places=4)
            self.assertGreaterEqual(row["n"], 5)
        self.assertEqual(rows[2]["exits_per_op"], 1.0)
        self.assertEqual(rows[0]["exits_per_op"], 0.0)

    def test_programs_run_both_ways_and_their_exits_are_counted(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "bench.json")
            self.bench(0, "getpid", "socket-pingpong", "hello-start", "--rounds", "5",
                       "--json", path)
            with open(path, encoding="utf-8") as f:
                getpid, ping, hello = json.load(f)
        self.assertGreater(getpid["n"], 1000)
        self.assertLess(getpid["exits_per_op"], 0.01)  # getpid stays inside
        self.assertGreater(getpid["cpu_us_per_op"], 0)
        self.assertGreaterEqual(ping["exits_per_op"], 4)  # two sends and two receives at least
        self.assertLess(ping["exits_per_op"], 100)
        self.assertGreater(hello["exits_per_op"], 1)
        self.assertEqual(hello["n"], 5)

    def test_sealed_files_are_read_without_exits(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "bench.json")
            self.bench(0, "sealed-rand", "pread-4k-sealed", "--rounds", "5", "--json", path)
            with open(path, encoding="utf-8") as f:
                first, again = json.load(f)
        self.assertEqual(first["n"], 5 * 16384)  # each block once
        self.assertLess(first["exits_per_op"], 0.01)  # memory for blocks, by the 2 MiB
        self.assertLess(again["exits_per_op"], 0.01)
        self.assertLess(again["nacre"], first["nacre"])

    def test_slow_rows_run_when_named(self):
        marked = {line.split()[0] for line in self.bench(0, "--list").stdout.splitlines()
                  if line.split()[2] == "*"}
        self.assertIn("convert-220m", marked)
        self.assertNotIn("py-start", marked)
        r = subprocess.run([NACRE, "bench", "start-many-files", "--rounds", "5"], capture_output=True,
                           text=True, check=False, timeout=100,
                           env=dict(os.environ, NACRE_MODE="soft", NACRE_BENCH_ROOT="/nonexistent"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("skipped: needs a Debian root", r.stdout)

    def test_bad_words_are_named(self):
        self.assertIn("no row 'exit-slit'", self.bench(2, "exit-slit").stderr)
        self.assertIn("use 5 to 101", self.bench(2, "--rounds", "4").stderr)
        self.assertIn("use 5 to 101", self.bench(2, "--rounds", "102").stderr)

    def test_row_without_its_enclave_is_skipped_with_the_reason(self):
        out = self.bench(0, "ereport", "--rounds", "5", "--enclave", "/nonexistent").stdout
        self.assertIn("skipped: needs nacre-loader and the test enclave (/nonexistent)", out)


if __name__ == "__main__":
    unittest.main()
