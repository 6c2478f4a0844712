#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""1,000 forks in a row, 200 processes alive at once: no leak, no stall, inside and on the host."""
import os
import subprocess
import unittest

NACRE = os.environ["NACRE"]
TWICE = os.environ["FORK_TWICE"]


def run(*args, seconds):
    return subprocess.run([NACRE, "exec", "-q", "--memory", str(1 << 30), "--", TWICE] + list(args),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds, text=True)


class Many(unittest.TestCase):
    def test_a_thousand_in_a_row(self):
        p = run("row", "1000", seconds=500)
        self.assertEqual(p.stdout, "1000 in a row, 0 descriptors more\n", p.stderr)

    def test_two_hundred_alive(self):
        p = run("alive", "200", seconds=200)
        self.assertEqual(p.stdout, "200 alive\n200 ended\n", p.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
