#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals from outside for a process whose threads come and go: each is taken, by whomever."""
import os
import select
import signal
import subprocess
import time
import unittest

NACRE = os.environ["NACRE"]
CHURN = os.environ["THREAD_CHURN"]
SIGNALS = int(os.environ.get("NACRE_SIGNALS", "150"))


class Signals(unittest.TestCase):
    def setUp(self):
        self.process = subprocess.Popen([NACRE, "exec", "-q", "--", CHURN], stdout=subprocess.PIPE)
        self.assertEqual(self.line(60), b"ready\n")

    def tearDown(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def line(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return b""
        return os.read(self.process.stdout.fileno(), 7)

    def test_no_signal_is_lost(self):
        for i in range(SIGNALS):
            self.process.send_signal(signal.SIGUSR1)
            self.assertEqual(self.line(20), b"got it\n", f"signal {i}")
            time.sleep(0.001 * (i % 7))

    def test_sigterm_ends_it(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(timeout=20), 128 + signal.SIGTERM)


if __name__ == "__main__":
    unittest.main(verbosity=2)
