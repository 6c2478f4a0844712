#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre keygen, sign and sigstruct as people run them: good input, bad input, exit codes.

An offline signer (openssl) and Python's own integers check what nacre computed.
"""
import hashlib
import json
import os
import stat
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
VECTORS = os.path.join(os.environ["NACRE_VECTORS"], "sgx-sigstruct")
LOADER = os.environ["NACRE_LOADER"]
ENCLAVE = os.environ["NACRE_TEST_ENCLAVE"]
MRENCLAVE = "5a" * 32
OK, FAILED, USAGE, REFUSED = 0, 1, 2, 3


class CliSign(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="nacre-test-sign-")
        cls.run_in(cls.dir.name, OK, "keygen", "--out", "key.pem", "--public-out", "key.pub.pem")

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    @staticmethod
    def run_in(folder, code, *words, env=None):
        e = {k: v for k, v in os.environ.items()
             if k not in ("NACRE_KEY_PASSPHRASE", "SOURCE_DATE_EPOCH")}
        e.update(env or {})
        r = subprocess.run([NACRE, *words], cwd=folder, env=e, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False)
        if r.returncode != code:
            raise AssertionError(f"nacre {' '.join(words)}: exit {r.returncode}, expected {code}\n"
                                 f"stdout: {r.stdout}\nstderr: {r.stderr}")
        if code != OK and not r.stderr.startswith("nacre "):
            raise AssertionError(f"nacre {' '.join(words)} failed without a message: {r.stderr!r}")
        return r

    def nacre(self, code, *words, env=None):
        return self.run_in(self.dir.name, code, *words, env=env)

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)

    def sign(self, code, *words, env=None):
        return self.nacre(code, "sign", "--mrenclave", MRENCLAVE, *words, env=env)

    # --- keygen ---

    def test_keygen_writes_a_private_pkcs8_file_and_prints_mrsigner(self):
        r = self.nacre(OK, "keygen", "--out", "k1.pem", "--public-out", "k1.pub.pem")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("k1.pem")).st_mode), 0o600)
        self.assertTrue(self.read("k1.pem").startswith(b"-----BEGIN PRIVATE KEY-----\n"))
        text = subprocess.run(["openssl", "pkey", "-in", self.path("k1.pem"), "-noout", "-text"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertIn("3072 bit", text)
        self.assertIn("publicExponent: 3 (0x3)", text)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.path("k1.pem"), "-noout",
                                  "-modulus"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                 text=True, check=True).stdout.strip().split("=")[1]
        mrsigner = hashlib.sha256(bytes.fromhex(modulus)[::-1]).hexdigest()
        self.assertEqual(r.stdout, mrsigner + "\n")
        self.assertEqual(self.nacre(OK, "sigstruct", "mrsigner", "k1.pub.pem").stdout,
                         mrsigner + "\n")

    def test_keygen_never_replaces_without_force(self):
        self.write("k2.pem", b"precious")
        r = self.nacre(FAILED, "keygen", "--out", "k2.pem")
        self.assertIn("k2.pem exists already", r.stderr)
        self.assertEqual(self.read("k2.pem"), b"precious")
        self.nacre(OK, "keygen", "--out", "k2.pem", "--force")
        self.assertNotEqual(self.read("k2.pem"), b"precious")

    def test_keygen_with_a_passphrase_makes_a_key_that_needs_it(self):
        self.write("pass", b"correct horse\n")
        self.nacre(OK, "keygen", "--out", "k3.pem", "--passphrase-file", "pass")
        self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", self.read("k3.pem"))
        r = self.sign(FAILED, "--key", "k3.pem")
        self.assertIn("--passphrase-file", r.stderr)
        self.sign(FAILED, "--key", "k3.pem", env={"NACRE_KEY_PASSPHRASE": "wrong"})
        self.sign(OK, "--key", "k3.pem", "--out", "k3.sig",
                  env={"NACRE_KEY_PASSPHRASE": "correct horse"})
        self.nacre(OK, "sigstruct", "verify", "k3.sig")

    def test_keygen_into_a_missing_folder_fails(self):
        r = self.nacre(FAILED, "keygen", "--out", "no/such/key.pem")
        self.assertIn("no/such/key.pem", r.stderr)

    # --- sign ---

    def check_numbers(self, data):
        """Everything the SDM says of the RSA fields, with Python's integers."""
        def little(at):
            return int.from_bytes(data[at:at + 384], "little")
        m, s = little(128), little(516)
        self.assertEqual(m.bit_length(), 3072)
        self.assertEqual(data[512:516], b"\x03\0\0\0")
        digest = hashlib.sha256(data[:128] + data[900:1028]).digest()
        info = bytes.fromhex("3031300d060960864801650304020105000420")
        block = b"\0\1" + b"\xff" * (384 - 3 - len(info) - 32) + b"\0" + info + digest
        self.assertEqual(pow(s, 3, m), int.from_bytes(block, "big"))
        q1 = s * s // m
        self.assertEqual(little(1040), q1)
        self.assertEqual(little(1424), (s ** 3 - q1 * s * m) // m)

    def test_sign_makes_a_sigstruct_with_the_fields_asked_for(self):
        r = self.sign(OK, "--key", "key.pem", "--out", "a.sig", "--isv-prod-id", "513",
                      "--isv-svn", "7", "--date", "2026-02-28", "--swdefined", "0x11223344",
                      "--isv-family-id", "01" * 16, "--isv-ext-prod-id", "02" * 16)
        self.assertIn("mrenclave " + MRENCLAVE, r.stdout)
        data = self.read("a.sig")
        self.assertEqual(len(data), 1808)
        self.check_numbers(data)
        self.assertEqual(data[20:24][::-1].hex(), "20260228")
        self.assertEqual(data[40:44][::-1].hex(), "11223344")
        self.assertEqual(data[912:928], b"\x01" * 16)
        self.assertEqual(data[960:992].hex(), MRENCLAVE)
        self.assertEqual(data[1008:1024], b"\x02" * 16)
        self.assertEqual(data[1024:1028].hex(), "01020700")
        o = json.loads(self.nacre(OK, "sigstruct", "show", "--json", "a.sig").stdout)
        self.assertEqual((o["isv_prod_id"], o["isv_svn"], o["date"]), (513, 7, "2026-02-28"))
        self.assertEqual(o["mrenclave"], MRENCLAVE)
        self.assertFalse(o["debug_allowed"])

    def test_sign_is_reproducible(self):
        env = {"SOURCE_DATE_EPOCH": "1700000000"}
        self.sign(OK, "--key", "key.pem", "--out", "r1.sig", env=env)
        self.sign(OK, "--key", "key.pem", "--out", "r2.sig", env=env)
        self.assertEqual(self.read("r1.sig"), self.read("r2.sig"))
        self.assertIn("2023-11-14", self.nacre(OK, "sigstruct", "show", "r1.sig").stdout)

    def test_sign_debug_sets_the_attribute_and_warns(self):
        r = self.sign(OK, "--key", "key.pem", "--debug", "--out", "d.sig")
        self.assertIn("debug enclave", r.stderr)
        o = json.loads(self.nacre(OK, "sigstruct", "show", "--json", "d.sig").stdout)
        self.assertTrue(o["debug_allowed"])
        self.assertIn("DEBUG", o["attributes_flag_names"])

    def test_sign_warns_of_an_exposed_key(self):
        self.write("open.pem", self.read("key.pem"))
        os.chmod(self.path("open.pem"), 0o644)
        self.assertIn("chmod 600", self.sign(OK, "--key", "open.pem", "--out", "o.sig").stderr)

    def test_sign_refuses_keys_that_do_not_fit_with_the_reason(self):
        for words, say in ((["genrsa", "-3", "2048"], "2048 bits"),
                           (["genrsa", "3072"], "exponent is 65537"),
                           (["ecparam", "-genkey", "-name", "prime256v1"], "type EC")):
            subprocess.run(["openssl", words[0], "-out", self.path("odd.pem"), *words[1:]],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            r = self.sign(FAILED, "--key", "odd.pem", "--out", "odd.sig")
            self.assertIn(say, r.stderr)
            self.assertFalse(os.path.exists(self.path("odd.sig")))

    def test_sign_refuses_files_that_are_no_keys(self):
        for data, say in ((b"", "empty"), (b"no key here\n", "no PEM block"),
                          (self.read("key.pub.pem"), "found a PUBLIC KEY"),
                          (self.read("key.pem")[:700], "broken"),
                          (self.read("key.pem") * 2, "2 private keys"),
                          (b"A" * 70000, "larger than")):
            self.write("bad.pem", data)
            r = self.sign(FAILED, "--key", "bad.pem", "--out", "bad.sig")
            self.assertIn(say, r.stderr)
            self.assertFalse(os.path.exists(self.path("bad.sig")))
        self.assertIn("none.pem", self.sign(FAILED, "--key", "none.pem").stderr)

    def test_sign_refuses_a_key_with_a_damaged_modulus(self):
        lines = self.read("key.pem").split(b"\n")
        at = lines[2]
        lines[2] = at[:20] + (b"B" if at[20:21] == b"A" else b"A") + at[21:]
        self.write("damaged.pem", b"\n".join(lines))
        os.chmod(self.path("damaged.pem"), 0o600)
        r = self.sign(FAILED, "--key", "damaged.pem", "--out", "damaged.sig")
        self.assertIn("damaged", r.stderr)
        self.assertFalse(os.path.exists(self.path("damaged.sig")))

    def test_sign_names_the_wrong_option(self):
        key = ["--key", "key.pem"]
        for words, say in ((["--isv-svn", "65536"], "--isv-svn"),
                           (["--isv-prod-id", "65536"], "--isv-prod-id"),
                           (["--isv-svn", "x"], "--isv-svn"),
                           (["--misc", "0x100000000"], "--misc"),
                           (["--date", "2026-02-29"], "--date"),
                           (["--date", "20260228"], "--date"),
                           (["--date", "2026-2-28"], "--date"),
                           (["--date", "2026-02-281"], "--date"),
                           (["--isv-family-id", "00"], "--isv-family-id"),
                           (["--attributes", "1"], "INIT"),
                           (["--attributes", "0"], "MODE64BIT"),
                           (["--xfrm", "1"], "XFRM"),
                           (["--attributes", "4", "--isv-family-id", "01" * 16], "KSS"),
                           (["--dump", "x"], "exactly one of"),
                           (["--signature", "x"], "--import"),
                           (["--enclave", "x"], "one of --enclave"),
                           (["--manifest", "x"], "--manifest"),
                           (["--isv-svm", "1"], "did you mean --isv-svn")):
            self.assertIn(say, self.sign(USAGE, *key, *words).stderr)
        self.assertIn("--mrenclave", self.nacre(USAGE, "sign", *key, "--mrenclave", "5a").stderr)
        self.assertIn("one of --enclave", self.nacre(USAGE, "sign", *key).stderr)
        self.assertIn("exactly one of", self.sign(USAGE).stderr)
        self.sign(USAGE, *key, env={"SOURCE_DATE_EPOCH": "yesterday"})

    def test_sign_measures_an_enclave_only_when_it_is_one(self):
        self.write("not.elf", b"\x7fELF nonsense")
        r = self.nacre(FAILED, "sign", "--enclave", "not.elf", "--key", "key.pem")
        self.assertIn("not.elf", r.stderr)
        self.nacre(FAILED, "sign", "--enclave", "missing.elf", "--key", "key.pem")

    # --- a real enclave, signed and run under softsgx ---

    def run_enclave(self, sig):
        env = dict(os.environ, NACRE_MODE="soft", NACRE_STATE_DIR=self.path("state"),
                   ASAN_OPTIONS="detect_leaks=0:allow_user_segv_handler=1:use_sigaltstack=0")
        env.pop("NACRE_VECTORS", None)
        return subprocess.run([LOADER, "--quiet", "--sigstruct", self.path(sig), ENCLAVE], env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors="replace", check=False)

    def test_an_enclave_signed_offline_runs_and_a_changed_sigstruct_does_not(self):
        measured = self.nacre(OK, "measure", ENCLAVE).stdout.strip()
        self.nacre(OK, "sign", "--enclave", ENCLAVE, "--isv-prod-id", "7", "--isv-svn", "2",
                   "--dump", "run.tbs")
        self.assertEqual(json.loads(self.read("run.tbs.json"))["sigstruct"]["mrenclave"], measured)
        subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path("key.pem"), "-out",
                        self.path("run.raw"), self.path("run.tbs")], check=True)
        self.import_(OK, tbs="run.tbs", sig="run.raw", out="run.sig")
        r = self.run_enclave("run.sig")
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        for at in (600, 960, 1026, 1800):  # signature, measurement, svn, q2
            data = bytearray(self.read("run.sig"))
            data[at] ^= 1
            self.write("changed.sig", bytes(data))
            r = self.run_enclave("changed.sig")
            self.assertNotEqual(r.returncode, 0, f"byte {at}")
            self.assertGreater(r.returncode, 0, f"byte {at}: died of signal {-r.returncode}")
            self.assertIn("nacre-loader", r.stderr)

    def test_another_manifest_is_another_enclave(self):
        self.write("m", b"manifest")
        r = self.nacre(OK, "sign", "--enclave", ENCLAVE, "--manifest", "m", "--key", "key.pem",
                       "--out", "m.sig")
        plain = self.nacre(OK, "measure", ENCLAVE).stdout.strip()
        self.assertNotIn(plain, r.stdout)
        with_manifest = self.nacre(OK, "measure", "--manifest", "m", ENCLAVE).stdout.strip()
        self.assertIn("mrenclave " + with_manifest, r.stdout)

    # --- detached ---

    def dump(self):
        self.sign(OK, "--dump", "e.tbs", "--date", "2026-03-04", "--isv-svn", "2")
        subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path("key.pem"), "-out",
                        self.path("e.tbs.sig"), self.path("e.tbs")], check=True)

    def import_(self, code, tbs="e.tbs", sig="e.tbs.sig", pub="key.pub.pem", out="e.sig"):
        return self.nacre(code, "sign", "--import", tbs, "--signature", sig, "--public-key", pub,
                          "--out", out)

    def test_detached_signing_gives_the_bits_of_signing_here(self):
        self.dump()
        self.assertEqual(len(self.read("e.tbs")), 256)
        side = json.loads(self.read("e.tbs.json"))
        self.assertEqual(side["sha256"], hashlib.sha256(self.read("e.tbs")).hexdigest())
        self.assertEqual(side["sigstruct"]["mrenclave"], MRENCLAVE)
        self.assertIsNone(side["sigstruct"]["mrsigner"])
        self.import_(OK)
        self.sign(OK, "--key", "key.pem", "--date", "2026-03-04", "--isv-svn", "2", "--out",
                  "here.sig")
        self.assertEqual(self.read("e.sig"), self.read("here.sig"))

    def test_import_takes_a_certificate_as_public_key(self):
        self.dump()
        subprocess.run(["openssl", "req", "-new", "-x509", "-key", self.path("key.pem"), "-subj",
                        "/CN=vendor", "-out", self.path("vendor.crt")], check=True,
                       stderr=subprocess.DEVNULL)
        self.import_(OK, pub="vendor.crt")

    def test_import_refuses_what_does_not_belong_together(self):
        self.dump()
        good_tbs, good_sig = self.read("e.tbs"), self.read("e.tbs.sig")
        self.nacre(OK, "keygen", "--out", "other.pem", "--public-out", "other.pub.pem", "--force")
        self.import_(REFUSED, pub="other.pub.pem", out="x.sig")
        for at in (20, 130, 200, 255):  # date, masks, measurement, svn
            tbs = bytearray(good_tbs)
            tbs[at] ^= 1
            self.write("x.tbs", bytes(tbs))
            self.import_(REFUSED, tbs="x.tbs", out="x.sig")
        for sig in (good_sig[::-1], good_sig[:-1], good_sig + b"\0", b"", bytes(384),
                    b"\xff" * 384, good_sig[:100] + b"\0" + good_sig[101:]):
            if sig == good_sig:
                continue
            self.write("x.raw", sig)
            self.import_(REFUSED, sig="x.raw", out="x.sig")
        self.write("x.tbs", good_tbs[:-1])
        self.assertIn("256 bytes", self.import_(FAILED, tbs="x.tbs", out="x.sig").stderr)
        self.write("x.tbs", b"\xff" * 256)
        self.assertIn("HEADER", self.import_(FAILED, tbs="x.tbs", out="x.sig").stderr)
        self.assertIn("private key", self.import_(FAILED, pub="key.pem", out="x.sig").stderr)
        self.assertFalse(os.path.exists(self.path("x.sig")))
        self.nacre(USAGE, "sign", "--import", "e.tbs", "--signature", "e.tbs.sig")

    # --- sigstruct ---

    def test_verify_refuses_each_kind_of_damage_by_its_field(self):
        self.sign(OK, "--key", "key.pem", "--out", "v.sig", "--date", "2026-03-04")
        good = self.read("v.sig")
        self.assertIn("valid", self.nacre(OK, "sigstruct", "verify", "v.sig").stdout)
        for at, field in ((0, "HEADER "), (16, "VENDOR"), (24, "HEADER2"), (44, "RESERVED1"),
                          (128, "MODULUS"), (512, "EXPONENT"), (600, "SIGNATURE"),
                          (960, "SIGNATURE"), (1027, "SIGNATURE"), (910, "RESERVED2"),
                          (1007, "RESERVED3"), (1028, "RESERVED4"), (1041, "Q1"), (1807, "Q2")):
            data = bytearray(good)
            data[at] ^= 1
            self.write("bad.sig", bytes(data))
            r = self.nacre(REFUSED, "sigstruct", "verify", "bad.sig")
            self.assertIn("SIGSTRUCT." + field, r.stderr)
            self.assertEqual(r.stdout, "")
        for data in (good[:-1], good + b"\0", b""):
            self.write("bad.sig", data)
            self.nacre(REFUSED, "sigstruct", "verify", "bad.sig")
            self.nacre(REFUSED, "sigstruct", "show", "bad.sig")
        self.nacre(FAILED, "sigstruct", "verify", "none.sig")

    def test_verify_compares_what_is_expected(self):
        self.sign(OK, "--key", "key.pem", "--out", "w.sig")
        signer = self.nacre(OK, "sigstruct", "mrsigner", "key.pub.pem").stdout.strip()
        self.nacre(OK, "sigstruct", "verify", "w.sig", "--mrsigner", signer, "--mrenclave",
                   MRENCLAVE)
        self.nacre(REFUSED, "sigstruct", "verify", "w.sig", "--mrsigner", "00" * 32)
        self.nacre(REFUSED, "sigstruct", "verify", "w.sig", "--mrenclave", "00" * 32)
        self.nacre(USAGE, "sigstruct", "verify", "w.sig", "--mrenclave", "00")
        self.nacre(USAGE, "sigstruct", "show", "w.sig", "--mrenclave", "00" * 32)
        self.nacre(USAGE, "sigstruct", "verify")
        self.nacre(USAGE, "sigstruct", "explain", "w.sig")

    def test_published_sigstructs(self):
        if not os.path.isdir(VECTORS):
            self.skipTest(f"the shared vectors are absent ({VECTORS})")
        for name in ("sig1.sigstruct.bin", "test_enclave.sig"):
            self.nacre(OK, "sigstruct", "verify", os.path.join(VECTORS, name))
        self.nacre(OK, "sign", "--key", os.path.join(VECTORS, "sig1.key.pem"), "--mrenclave",
                   "c50673624a6cb17c1c6c2a4e6906f47a170c4629b8723781d1017ef376f1a75d", "--date",
                   "2016-01-09", "--attributes", "4", "--attributes-mask", "0xfffffffffffffffd",
                   "--xfrm-mask", "0xffffffffffffff1b", "--misc", "0", "--out", "sig1.sig")
        mine = self.read("sig1.sig")
        with open(os.path.join(VECTORS, "sig1.sigstruct.bin"), "rb") as f:
            theirs = f.read()
        # The published one leaves CET to the processor; nacre pins it to off, which is signed.
        self.assertEqual((mine[909], theirs[909]), (0xff, 0))
        self.assertEqual(mine[:516] + mine[900:909] + mine[910:1028],
                         theirs[:516] + theirs[900:909] + theirs[910:1028])
        self.nacre(OK, "sigstruct", "verify", "sig1.sig")


if __name__ == "__main__":
    unittest.main(verbosity=2)
