#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre softsgx root, and software quotes through `nacre quote verify`. OpenSSL checks the
certificates, revocation lists and signatures for itself."""
import json
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
SOFTQUOTE = os.environ["SOFTQUOTE"]
OK, FAILED, USAGE, REFUSED = 0, 1, 2, 3
PUBLIC = {"root_ca.pem", "tcb_info.json", "qe_identity.json", "tcb_signing_chain.pem",
          "pck_crl.der", "root_ca_crl.der"}


class CliSoftsgx(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-softsgx-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def env(self, machine):
        e = {k: v for k, v in os.environ.items() if k != "NACRE_STATE_DIR"}
        e["NACRE_STATE_DIR"] = self.path(machine)
        return e

    def nacre(self, code, *words, machine="m1"):
        r = subprocess.run([NACRE, *words], cwd=self.dir, env=self.env(machine),
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(r.returncode, code, f"nacre {' '.join(words)}\n{r.stdout}{r.stderr}")
        return r

    def root(self, *words, code=OK, machine="m1"):
        return self.nacre(code, "softsgx", "root", *words, machine=machine)

    def quote(self, text, name, machine="m1"):
        subprocess.run([SOFTQUOTE, text, self.path(name)], env=self.env(machine), check=True)

    def openssl(self, *words):
        return subprocess.run(["openssl", *words], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=True).stdout

    # --- the root ---

    def test_root_is_made_on_first_use_and_stays(self):
        first = json.loads(self.root("--json").stdout)
        again = json.loads(self.root("--json").stdout)
        self.assertTrue(first.pop("new"))
        self.assertFalse(again.pop("new"))
        self.assertEqual(first, again)
        self.assertIn("no hardware protection", first["name"])
        other = json.loads(self.root("--json", machine="m2").stdout)
        self.assertNotEqual(first["fingerprint"], other["fingerprint"])
        self.assertNotEqual(first["fmspc"], other["fmspc"])

    def test_private_files_are_private(self):
        self.root()
        keys = 0
        for folder, _, names in os.walk(self.path("m1")):
            self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode) & 0o077, 0, folder)
            for name in names:
                p = os.path.join(folder, name)
                with open(p, "rb") as f:
                    secret = b"PRIVATE KEY" in f.read()
                keys += secret
                if secret:
                    self.assertEqual(stat.S_IMODE(os.stat(p).st_mode), 0o600, p)
        self.assertEqual(keys, 5)

    def test_state_open_to_others_is_refused(self):
        self.root()
        os.chmod(self.path("m1", "softsgx"), 0o755)
        self.assertIn("chmod 700", self.root(code=FAILED).stderr)

    def test_init_does_not_replace_without_force(self):
        self.root("--init")
        before = json.loads(self.root("--json").stdout)["fingerprint"]
        self.assertIn("--force", self.root("--init", code=FAILED).stderr)
        self.assertEqual(json.loads(self.root("--json").stdout)["fingerprint"], before)
        self.root("--init", "--force")
        self.assertNotEqual(json.loads(self.root("--json").stdout)["fingerprint"], before)

    def test_wrong_command_lines(self):
        self.root("--force", code=USAGE)
        self.root("--lab-root", "x", code=USAGE)
        self.root("extra", code=USAGE)
        self.nacre(USAGE, "softsgx")
        self.assertIn("no 'rot' here", self.nacre(USAGE, "softsgx", "rot").stderr)
        self.assertFalse(os.path.exists(self.path("m1")))

    def test_unwritable_state_says_what_to_set(self):
        with open(self.path("file"), "w", encoding="utf-8"):
            pass
        r = self.root(code=FAILED, machine="file/below")
        self.assertIn("NACRE_STATE_DIR", r.stderr)

    def test_processes_that_start_at_once_make_one_root(self):
        running = [subprocess.Popen([NACRE, "softsgx", "root", "--json"], env=self.env("m3"),
                                    stdout=subprocess.PIPE, text=True) for _ in range(6)]
        out = [json.loads(p.communicate()[0]) for p in running]
        self.assertEqual([p.returncode for p in running], [0] * 6)
        self.assertEqual(len({o["fingerprint"] for o in out}), 1)
        self.assertEqual(sum(o["new"] for o in out), 1)

    # --- what is exported, in OpenSSL's eyes ---

    def test_openssl_accepts_certificates_lists_and_signatures(self):
        self.root("--export", "c")
        self.assertEqual(set(os.listdir(self.path("c"))), PUBLIC)
        kept = self.path("m1", "softsgx", "root-1")
        for leaf in ("pck.pem", "tcb_signing.pem"):
            self.openssl("verify", "-x509_strict", "-CAfile", "c/root_ca.pem", "-untrusted",
                         f"{kept}/pck_ca.pem", f"{kept}/{leaf}")
        for crl, ca in (("pck_crl.der", "pck_ca.pem"), ("root_ca_crl.der", "root.pem")):
            self.assertIn("verify OK", self.openssl("crl", "-inform", "der", "-in", f"c/{crl}",
                                                    "-CAfile", f"{kept}/{ca}", "-noout"))
        for name in ("root.pem", "pck_ca.pem", "tcb_signing.pem", "pck.pem"):
            self.assertIn("no hardware protection",
                          self.openssl("x509", "-in", f"{kept}/{name}", "-noout", "-subject"))
        self.openssl("x509", "-in", f"{kept}/tcb_signing.pem", "-pubkey", "-noout", "-out",
                     "signer.pub")
        for name, member in (("tcb_info.json", "tcbInfo"), ("qe_identity.json",
                                                            "enclaveIdentity")):
            with open(self.path("c", name), "rb") as f:
                data = f.read()
            o = json.loads(data)
            self.assertEqual(list(o), [member, "signature"])
            head = b'{"%s":' % member.encode()
            inner = data[len(head):data.rindex(b',"signature"')]
            self.assertTrue(data.startswith(head))
            self.assertEqual(json.loads(inner), o[member])
            self.check_ecdsa(inner, bytes.fromhex(o["signature"]))

    def check_ecdsa(self, data, raw):
        def integer(b):
            b = b.lstrip(b"\0") or b"\0"
            b = b"\0" + b if b[0] & 0x80 else b
            return b"\x02" + bytes([len(b)]) + b
        body = integer(raw[:32]) + integer(raw[32:])
        for name, content in (("data", data), ("sig", b"\x30" + bytes([len(body)]) + body)):
            with open(self.path(name), "wb") as f:
                f.write(content)
        self.assertIn("Verified OK", self.openssl("dgst", "-sha256", "-verify", "signer.pub",
                                                  "-signature", "sig", "data"))

    # --- quotes ---

    def verify(self, code, quote="q.bin", collateral="c", *words, root=True):
        trust = ["--software-root", f"{collateral}/root_ca.pem"] if root else []
        return self.nacre(code, "quote", "verify", quote, "-c", collateral, *trust, *words)

    def test_a_software_quote_verifies_only_where_it_is_accepted_in_words(self):
        self.quote("hello", "q.bin")
        self.root("--export", "c")
        o = json.loads(self.verify(OK, "q.bin", "c", "--json").stdout)
        text = json.dumps(o)
        self.assertIn("UpToDate", text)
        self.assertIn("software", text)
        self.assertIn("11" * 32, text)
        self.assertIn(b"hello".hex(), text)
        self.verify(REFUSED, root=False)  # Intel's root alone
        self.verify(REFUSED, "q.bin", "c", "--time", "2099-01-01T00:00:00Z")
        self.verify(REFUSED, "q.bin", "c", "--time", "2020-01-01T00:00:00Z")
        self.assertIn("11" * 32, self.nacre(OK, "quote", "show", "q.bin").stdout)

    def test_tampered_quotes_and_foreign_collateral_are_refused(self):
        self.quote("hello", "q.bin")
        self.root("--export", "c")
        self.root("--export", "c2", machine="m2")
        with open(self.path("q.bin"), "rb") as f:
            good = f.read()
        for at in (0, 12, 48, 112, 368, 436, 500, 564, 948, 1012, 1020, 1048, 1500, len(good) - 40):
            bad = bytearray(good)
            bad[at] ^= 1
            with open(self.path("bad.bin"), "wb") as f:
                f.write(bad)
            self.verify(REFUSED, "bad.bin")
        self.verify(REFUSED, "q.bin", "c2")
        os.replace(self.path("c2", "tcb_info.json"), self.path("c", "tcb_info.json"))
        self.verify(REFUSED, "q.bin", "c")

    def test_machines_of_a_lab_share_root_and_collateral(self):
        for m in ("l1", "l2"):
            self.root("--init", "--lab-root", self.path("lab"), machine=m)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("lab")).st_mode), 0o700)
        self.quote("from two", "q.bin", machine="l2")
        self.root("--export", "c", machine="l1")
        self.verify(OK)
        a, b = (json.loads(self.root("--json", machine=m).stdout) for m in ("l1", "l2"))
        self.assertEqual(a["fingerprint"], b["fingerprint"])
        self.assertNotEqual(a["ppid"], b["ppid"])

    def test_a_quote_outlives_a_renewal_but_not_a_new_root(self):
        self.quote("hello", "q.bin")
        os.unlink(self.path("m1", "softsgx", "root-1", "collateral", "pck_crl.der"))
        self.root("--export", "c")
        self.verify(OK)
        self.root("--init", "--force", "--export", "c")
        self.verify(REFUSED)


if __name__ == "__main__":
    unittest.main(verbosity=2)
