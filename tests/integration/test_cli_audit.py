#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre audit show: which lines it prints, and that a foreign log cannot play with the terminal. (What
CAS writes and nacre audit verify accepts is tested with CAS.)"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]


class Show(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-audit-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.log = os.path.join(self.dir, "audit.log")

    def write(self, *lines, end="\n"):
        with open(self.log, "w", encoding="utf-8") as f:
            f.write("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines) + end)

    def show(self, code, *words):
        r = subprocess.run([NACRE, "audit", "show", *words, self.log], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r.stdout if code == 0 else r.stderr

    def test_filters(self):
        self.write({"time": "1", "event": "cas.start"},
                   {"time": "2", "event": "provision", "session": "a/b"},
                   {"time": "3", "event": "denied", "session": "a/b", "reason": "no right"},
                   {"time": "4", "event": "provision.denied", "session": "a/c", "reason": "why"},
                   {"time": "5", "event": "provision", "session": "a/c"})
        self.assertEqual(self.show(0).count("\n"), 7)
        self.assertEqual(self.show(0, "--denied"),
                         "3  denied  a/b\n    no right\n4  provision.denied  a/c\n    why\n")
        self.assertEqual(self.show(0, "--denied", "--session", "a/c"),
                         "4  provision.denied  a/c\n    why\n")
        self.assertEqual(self.show(0, "--event", "provision", "-n", "1"), "5  provision  a/c\n")
        self.assertEqual(self.show(0, "-n", "2", "--json").splitlines()[1],
                         '{"time": "5", "event": "provision", "session": "a/c"}')
        self.assertEqual(self.show(0, "-n", "100").count("\n"), 7)
        self.assertEqual(self.show(0, "--session", "none"), "")

    def test_last_of_many(self):
        self.write(*({"time": str(i), "event": "e"} for i in range(1000)))
        self.assertEqual(self.show(0, "-n", "3"), "997  e\n998  e\n999  e\n")
        self.assertEqual(len(self.show(0).splitlines()), 1000)

    def test_bad_input(self):
        self.write({"time": "1", "event": "\x1b[31mred\nnew"})
        self.assertEqual(self.show(0), "1  \\x1b[31mred\\x0anew\n")
        self.write({"event": "a"}, "not json")
        self.assertIn("line 2", self.show(1))
        self.write({"event": "a"}, '{"event": "b"', end="")
        self.assertEqual(self.show(0), "a\n")
        os.unlink(self.log)
        self.show(1)


if __name__ == "__main__":
    unittest.main()
