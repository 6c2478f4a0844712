#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre quote as people run it: our own vectors and, where they are, the shared ones; exit codes, JSON."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

NACRE = os.environ["NACRE"]
ROOT = os.environ["NACRE_SOURCE_ROOT"]
SHARED = os.path.join(os.environ["NACRE_VECTORS"], "cases")
OK, FAILED, USAGE, REFUSED = 0, 1, 2, 3
NOW = "2026-02-02T02:40:00Z"


class CliQuote(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-test-quote-")
        cls.dir = cls.tmp.name
        tool = os.path.join(ROOT, "tests", "tools", "make_attest_vectors.py")
        subprocess.run([sys.executable, tool, "--full", cls.dir], check=True,
                       env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    @classmethod
    def tearDownClass(cls):
        cls.tmp.cleanup()

    def nacre(self, code, *words):
        r = subprocess.run([NACRE, "quote", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, check=False)
        self.assertEqual(r.returncode, code, f"{words}\n{r.stdout}\n{r.stderr}")
        if code != OK:
            self.assertTrue(r.stderr.startswith("nacre quote: "), r.stderr)
        return r

    def verify(self, code, case, *words, root="root.pem"):
        folder = os.path.join(self.dir, case)
        return self.nacre(code, "verify", os.path.join(folder, "quote.bin"), "-c", folder, "-s",
                          os.path.join(self.dir, root), "--time", NOW, *words)

    def test_every_case_of_our_own(self):
        for case in sorted(os.listdir(self.dir)):
            expected_path = os.path.join(self.dir, case, "expected.json")
            if not os.path.exists(expected_path):
                continue
            with open(expected_path, encoding="utf-8") as f:
                expected = json.load(f)
            good = expected.get("final_status") == "UpToDate" and not expected["debug"]
            with self.subTest(case):
                result = json.loads(self.verify(OK if good else REFUSED, case, "--json").stdout)
                self.assertEqual(result["accepted"], good)
                if expected["refusal"]:
                    self.assertFalse(result["verified"])
                    self.assertEqual(result["reason"]["code"], expected["refusal"])
                    self.assertNotIn("mrenclave", result)
                    continue
                self.assertTrue(result["verified"])
                self.assertEqual(result["tcb_status"], expected["final_status"])
                self.assertEqual(result["advisory_ids"], expected["advisory_ids"])
                self.assertEqual(result["root_class"], "software")

    def test_tolerate_accepts_exactly_the_named_status(self):
        self.verify(OK, "status-outofdate", "--tolerate", "OutOfDate")
        self.verify(OK, "status-outofdate", "--tolerate", "SWHardeningNeeded", "--tolerate",
                    "OutOfDate")
        r = self.verify(REFUSED, "status-outofdate", "--tolerate", "SWHardeningNeeded")
        self.assertIn("REFUSED (tcb_status)", r.stdout)
        self.verify(USAGE, "status-revoked", "--tolerate", "Revoked")
        self.verify(USAGE, "status-outofdate", "--tolerate", "outofdate")

    def test_debug_is_refused_unless_allowed(self):
        r = self.verify(REFUSED, "debug")
        self.assertIn("REFUSED (debug)", r.stdout)
        self.assertIn("next:", r.stdout)
        self.verify(OK, "debug", "--allow-debug")

    def test_software_root_must_be_named(self):
        folder = os.path.join(self.dir, "up-to-date")
        r = self.nacre(REFUSED, "verify", os.path.join(folder, "quote.bin"), "-c", folder, "-t", NOW)
        self.assertIn("root_untrusted", r.stderr)
        r = self.verify(REFUSED, "up-to-date", root="other_root.pem")
        self.assertIn("root_untrusted", r.stderr)
        # Named as a hardware root it still is not Intel's.
        r = self.nacre(REFUSED, "verify", os.path.join(folder, "quote.bin"), "-c", folder, "-t", NOW,
                       "--root", os.path.join(self.dir, "root.pem"))
        self.assertIn("chain_broken", r.stderr)

    def test_time_decides(self):
        folder = os.path.join(self.dir, "up-to-date")
        for when, code in (("1769308800", OK), ("1769308799", REFUSED), ("1771641600", OK),
                           ("1771641601", REFUSED), ("yesterday", USAGE)):
            self.nacre(code, "verify", os.path.join(folder, "quote.bin"), "-c", folder, "-s",
                       os.path.join(self.dir, "root.pem"), "-t", when)

    def test_show_says_that_nothing_is_verified(self):
        path = os.path.join(self.dir, "tdx-v5-15", "quote.bin")
        r = self.nacre(OK, "show", path)
        self.assertTrue(r.stdout.startswith("NOT VERIFIED"))
        result = json.loads(self.nacre(OK, "show", "--json", path).stdout)
        self.assertFalse(result["verified"])
        self.assertEqual(result["evidence_type"], "tdx-dcap")
        self.assertNotIn("tcb_status", result)

    def test_bad_input_is_named(self):
        folder = os.path.join(self.dir, "up-to-date")
        quote = os.path.join(folder, "quote.bin")
        self.assertIn("no verifier knows", self.nacre(REFUSED, "show", os.path.join(
            folder, "tcb_info.json")).stderr)
        self.assertIn("--collateral", self.nacre(USAGE, "verify", quote).stderr)
        self.assertIn("'check'", self.nacre(USAGE, "check", quote).stderr)
        self.nacre(USAGE, "verify")
        self.assertIn("missing.bin", self.nacre(FAILED, "show", "missing.bin").stderr)
        with tempfile.TemporaryDirectory() as empty:
            r = self.nacre(FAILED, "verify", quote, "-c", empty, "-t", NOW)
            self.assertIn("tcb_info.json", r.stderr)
        r = self.nacre(FAILED, "verify", quote, "-c", folder, "-t", NOW, "-s", quote)
        self.assertIn("quote.bin", r.stderr)

    def test_shared_cases_at_their_time(self):
        if not os.path.isdir(SHARED):
            self.skipTest(f"the shared vectors are not here ({SHARED})")
        seen = 0
        for case in sorted(os.listdir(SHARED)):
            folder = os.path.join(SHARED, case)
            if not os.path.isdir(folder):
                continue
            with open(os.path.join(folder, "expected.json"), encoding="utf-8") as f:
                expected = json.load(f)
            with self.subTest(case):
                words = ("verify", os.path.join(folder, "quote.bin"), "-c", folder, "--json",
                         "--allow-debug", "-t", str(expected["verify_time"]))
                status = expected["final_status"]
                result = json.loads(self.nacre(OK if status == "UpToDate" else REFUSED,
                                               *words).stdout)
                self.assertEqual(result["tcb_status"], status)
                self.assertEqual(result["advisory_ids"],
                                 expected["launch"].get("advisory_ids", []))
                if status not in ("UpToDate", "TCB_NOT_SUPPORTED"):
                    self.nacre(OK, *words, "--tolerate", status)
                seen += 1
        self.assertGreaterEqual(seen, 13)


if __name__ == "__main__":
    unittest.main()
