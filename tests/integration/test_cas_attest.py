#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nacre cas attest` and `nacre cas status`: which CAS is the one that is meant."""
import base64
import hashlib
import json
import os
import subprocess
import tempfile
import threading
import time
import unittest

from test_cas import NACRE, Server, run

MRENCLAVE, MRSIGNER = "11" * 32, "22" * 32


class Tee(threading.Thread):
    """A /dev/attestation whose quotes are those of the software processor."""

    def __init__(self, folder, twist=lambda data: data):
        super().__init__(daemon=True)
        self.folder, self.twist, self.ended = folder, twist, False
        os.mkdir(folder)
        for name, text in (("attestation_type", "dcap"), ("user_report_data", "")):
            with open(os.path.join(folder, name), "w", encoding="ascii") as f:
                f.write(text)
        os.mkfifo(os.path.join(folder, "quote"))
        self.order = os.path.join(folder, "user_report_data")
        self.seen = os.stat(self.order).st_mtime_ns
        self.start()

    def run(self):
        # A quote for each order, and no second one into the same reading.
        while not self.ended:
            now = os.stat(self.order).st_mtime_ns
            if now == self.seen:
                time.sleep(0.01)
                continue
            self.seen = now
            with open(os.path.join(self.folder, "quote"), "wb") as out:
                with open(self.order, "rb") as f:
                    data = self.twist(f.read(64))
                path = os.path.join(self.folder, "..", "made.bin")
                subprocess.run([os.environ["SOFTQUOTE"], "--hex", data.hex(), path], check=True)
                with open(path, "rb") as f:
                    out.write(f.read())

    def end(self):
        self.ended = True
        self.join(10)


class Attest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-attest-")
        cls.old_state = os.environ.get("NACRE_STATE_DIR")
        os.environ["NACRE_STATE_DIR"] = os.path.join(cls.tmp.name, "state")
        cls.root = os.path.join(cls.tmp.name, "root")
        assert run(NACRE, "softsgx", "root", "--export", cls.root).returncode == 0
        cls.tee = Tee(os.path.join(cls.tmp.name, "dev"))
        cls.plain = Server(os.path.join(cls.tmp.name, "plain"))
        cls.inside = Server(os.path.join(cls.tmp.name, "inside"), "--attestation", cls.tee.folder)

    @classmethod
    def tearDownClass(cls):
        codes = cls.plain.stop(), cls.inside.stop()
        cls.tee.end()
        cls.tmp.cleanup()
        if cls.old_state is None:
            del os.environ["NACRE_STATE_DIR"]
        else:
            os.environ["NACRE_STATE_DIR"] = cls.old_state
        assert codes == (0, 0), codes

    def setUp(self):
        self.client = tempfile.TemporaryDirectory(prefix="nacre-client-")
        os.chmod(self.client.name, 0o700)

    def tearDown(self):
        self.client.cleanup()

    def nacre(self, *args):
        env = {k: v for k, v in os.environ.items() if not k.startswith("NACRE_CAS")}
        env["NACRE_STATE_DIR"] = self.client.name
        return subprocess.run([NACRE, *args], capture_output=True, text=True, env=env, timeout=60, check=False)

    def attest(self, server, *args):
        return self.nacre("cas", "attest", f"127.0.0.1:{server.port}", *args)

    def test_nothing_is_trusted_by_itself(self):
        r = self.attest(self.plain)
        self.assertEqual(r.returncode, 3, r.stderr)
        self.assertIn(self.plain.pin, r.stdout)
        self.assertIn("nothing says that this is the CAS you mean", r.stderr)
        r = self.nacre("cas", "status", f"127.0.0.1:{self.plain.port}")
        self.assertEqual(r.returncode, 1)
        self.assertIn("nacre cas attest", r.stderr)

    def test_pin_is_remembered(self):
        r = self.attest(self.plain, "--pin", self.plain.pin)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("by pin", r.stdout)
        r = self.nacre("cas", "status", f"127.0.0.1:{self.plain.port}")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn(self.plain.pin, r.stdout)
        r = self.nacre("session", "list", "--cas", f"127.0.0.1:{self.plain.port}")
        self.assertEqual(r.returncode, 0, r.stderr)

    def test_first_use_only_in_words(self):
        r = self.attest(self.plain, "--trust-on-first-use", "--no-store", "--json")
        j = json.loads(r.stdout)
        self.assertEqual((r.returncode, j["trusted_by"], j["stored"], j["type"]), (0, "first use", False, "none"))
        self.assertEqual(self.attest(self.plain).returncode, 3)
        self.assertEqual(self.attest(self.plain, "--trust-on-first-use").returncode, 0)
        self.assertEqual(self.attest(self.plain).returncode, 0)

    def test_another_key_is_another_cas(self):
        r = self.attest(self.plain, "--pin", self.inside.pin)
        self.assertEqual(r.returncode, 3)
        self.assertIn("another key than the one pinned", r.stderr)
        self.assertEqual(self.attest(self.plain, "--trust-on-first-use").returncode, 0)
        known = os.path.join(self.client.name, "client", "known_cas")
        with open(known, encoding="ascii") as f:
            text = f.read()
        self.assertEqual(text, f"127.0.0.1:{self.plain.port} {self.plain.pin}\n")
        with open(known, "w", encoding="ascii") as f:
            f.write(text.replace(self.plain.pin, self.inside.pin))
        for args in ((), ("--trust-on-first-use",)):
            r = self.attest(self.plain, *args)
            self.assertEqual(r.returncode, 3, r.stdout)
            self.assertIn("another key", r.stderr)
        r = self.nacre("session", "list", "--cas", f"127.0.0.1:{self.plain.port}")
        self.assertEqual(r.returncode, 3)
        # A pin given by hand is how a new key is taken.
        self.assertEqual(self.attest(self.plain, "--pin", self.plain.pin).returncode, 0)
        self.assertEqual(self.attest(self.plain).returncode, 0)

    def test_several_are_remembered(self):
        self.assertEqual(self.attest(self.plain, "--pin", self.plain.pin).returncode, 0)
        self.assertEqual(self.attest(self.inside, "--pin", self.inside.pin).returncode, 0)
        self.assertEqual(self.attest(self.plain).returncode, 0)
        self.assertEqual(self.attest(self.inside).returncode, 0)

    def test_damaged_memory_is_an_error(self):
        self.assertEqual(self.attest(self.plain, "--pin", self.plain.pin).returncode, 0)
        with open(os.path.join(self.client.name, "client", "known_cas"), "w", encoding="ascii") as f:
            f.write(f"127.0.0.1:{self.plain.port} nonsense\n")
        r = self.attest(self.plain)
        self.assertEqual(r.returncode, 1)
        self.assertIn("damaged", r.stderr)

    def test_evidence_of_a_named_enclave(self):
        r = self.attest(self.inside, "--software-root", self.root, "--mrenclave", MRENCLAVE, "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        j = json.loads(r.stdout)
        self.assertEqual((j["trusted_by"], j["verified"], j["claims"]["mrenclave"], j["key"]), ("evidence", True, MRENCLAVE, self.inside.pin))
        self.assertEqual(self.nacre("cas", "status", f"127.0.0.1:{self.inside.port}").returncode, 0)
        self.assertEqual(self.attest(self.inside, "--software-root", self.root, "--mrsigner", MRSIGNER).returncode, 0)

    def test_evidence_of_another_enclave(self):
        for args in (("--mrenclave", "33" * 32), ("--mrsigner", "33" * 32), ("--mrenclave", MRENCLAVE, "--mrsigner", "33" * 32)):
            r = self.attest(self.inside, "--software-root", self.root, *args)
            self.assertEqual(r.returncode, 3, r.stdout)
            self.assertIn("another enclave", r.stdout)
        # Not even a right pin makes up for it.
        r = self.attest(self.inside, "--software-root", self.root, "--mrenclave", "33" * 32, "--pin", self.inside.pin)
        self.assertEqual(r.returncode, 3)

    def test_evidence_needs_its_root_in_words(self):
        r = self.attest(self.inside, "--mrenclave", MRENCLAVE)
        self.assertEqual(r.returncode, 3)
        self.assertIn("does not verify", r.stdout)
        r = self.attest(self.plain, "--mrenclave", MRENCLAVE, "--pin", self.plain.pin)
        self.assertEqual(r.returncode, 3)
        self.assertIn("runs in no TEE", r.stdout)

    def test_evidence_is_bound_to_key_and_nonce(self):
        nonce = "ab" * 32
        status, j = self.inside.ask("GET", f"/v1/attest?nonce={nonce}")
        self.assertEqual((status, j["type"], j["nonce"]), (200, "sgx-dcap", nonce))
        want = hashlib.sha512(b"nacre cas attestation v1\0" + bytes.fromhex(j["key"]) + bytes.fromhex(nonce)).digest()
        self.assertEqual(base64.b64decode(j["quote"])[368:432], want)
        self.assertEqual(self.plain.ask("GET", f"/v1/attest?nonce={nonce}")[1]["type"], "none")
        for bad in ("", "?nonce=", "?nonce=ab", f"?nonce={nonce}00", "?nonce=" + "zz" * 32):
            self.assertEqual(self.inside.ask("GET", "/v1/attest" + bad)[0], 400)

    def test_status(self):
        r = self.nacre("cas", "status", f"127.0.0.1:{self.plain.port}", "--pin", self.plain.pin, "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        j = json.loads(r.stdout)
        self.assertEqual((j["status"], j["tee"], j["provisioning"], j["sessions"]), ("ok", False, False, 0))
        self.assertEqual(j["collateral"], {"hardware": 0, "software": 0, "valid_until": None})
        self.assertTrue(self.inside.ask("GET", "/v1/status")[1]["tee"])

    def test_a_tee_that_lies_is_said_at_the_start(self):
        tee = Tee(os.path.join(self.tmp.name, "liar"), twist=lambda data: b"\1" * 64)
        r = subprocess.run([NACRE, "cas", "serve", "--dir", os.path.join(self.tmp.name, "liar-cas"), "--listen", "127.0.0.1:0",
                            "--provision-listen", "off", "--attestation", tee.folder], capture_output=True, text=True, timeout=30, check=False)
        tee.end()
        self.assertEqual(r.returncode, 1)
        self.assertIn("other report data", r.stderr)


if __name__ == "__main__":
    unittest.main()
