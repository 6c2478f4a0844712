#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on provisioning, against a real server: each is refused with the one answer all refusals
have, and each leaves a line in the audit log that says why."""
import base64
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["NACRE_SOURCE_ROOT"], "tests", "tools"))
sys.dont_write_bytecode = True

import attest_pki as pki  # noqa: E402
import make_attest_vectors as vectors  # noqa: E402

from test_cas import make_identity, run  # noqa: E402
from test_provision import MRENCLAVE, MRSIGNER, NACRE, PROVCLIENT, ProvisionTestCase  # noqa: E402
from test_cas import spki_hash  # noqa: E402

DAY = 86400
FULL = "NACRE_FULL_TAMPER" in os.environ


def shift_vectors_to(now):
    vectors.NOW = now
    vectors.CERT = (now - 400 * DAY, now + 2000 * DAY)


class Live(vectors.Case):
    """A platform of the test PKI, as of now; its quotes are made while a connection waits."""
    wanted = bytes(64)

    def body(self):
        return pki.sgx_report(cpu_svn=bytes(vectors.components(self.first)), flags=self.flags, mrenclave=bytes.fromhex(MRENCLAVE),
                              mrsigner=bytes.fromhex(MRSIGNER), prod_id=1, svn=2, report_data=self.wanted, reserved=self.reserved)

    def quote_for(self, report_data):
        self.wanted = report_data
        return self.quote(self.certificates())

    def write(self, folder):
        os.makedirs(folder, exist_ok=True)
        for name, data in self.files().items():
            if name != "quote.bin":
                with open(os.path.join(folder, name), "wb") as f:
                    f.write(data)


class Attacks(ProvisionTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shift_vectors_to(int(time.time()))
        cls.bob = make_identity(cls.tmp.name, "bob")

    def connect(self, session, *options):
        """A client in the middle: (process, the report data its connection wants)."""
        p = subprocess.Popen([PROVCLIENT, str(self.server.provision_port), session, "app", "--ask", *options],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return p, bytes.fromhex(p.stdout.readline().strip())

    def hand_in(self, p, quote):
        out, _ = p.communicate(base64.b64encode(quote).decode() + "\n", timeout=30)
        status, body = out.split("\n", 1)
        return int(status), json.loads(body)

    def soft_quote(self, report_data):
        folder = os.path.join(self.tmp.name, "soft")
        r = subprocess.run([os.environ["SOFTQUOTE"], "--hex", report_data.hex(), folder], capture_output=True, text=True, check=False)
        self.assertEqual(r.returncode, 0, r.stderr)
        with open(folder, "rb") as f:
            return f.read()

    def test_wrong_measurement(self):
        self.session("measured")
        self.assertEqual(self.server.provision("measured")[0], 200)
        line = self.denied(self.server.provision("measured", "app", "--mrenclave", "12" * 32), "policy", "MRENCLAVE")
        self.assertEqual(line["mrenclave"], "12" * 32)

    def test_wrong_signer_product_and_version(self):
        self.session("signed", {"attestation": [{"signer": {"mrsigner": MRSIGNER, "isvprodid": 1, "isvsvn_min": 2}}]})
        self.assertEqual(self.server.provision("signed")[0], 200)
        self.denied(self.server.provision("signed", "app", "--mrsigner", "23" * 32), "policy", "MRSIGNER")
        self.denied(self.server.provision("signed", "app", "--isvprodid", "2"), "policy", "ISVPRODID")
        self.denied(self.server.provision("signed", "app", "--isvsvn", "1"), "policy", "ISVSVN")

    def test_debug_enclave(self):
        self.session("debugged")
        self.assertEqual(self.denied(self.server.provision("debugged", "app", "--debug"), "appraisal")["code"], "debug")
        self.session("debugged-in-words", security=self.software(tolerate=["debug-mode"]))
        self.assertEqual(self.server.provision("debugged-in-words", "app", "--debug")[0], 200)

    def test_another_platform(self):
        self.session("pinned", {"platforms": ["INTEL_QE_ID:" + "00" * 16]})
        line = self.denied(self.server.provision("pinned"), "policy", "platform")
        self.session("pinned-right", {"platforms": ["INTEL_QE_ID:" + line["qe_id"]]})
        self.assertEqual(self.server.provision("pinned-right")[0], 200)

    def test_replayed_quote(self):
        self.session("replayed")
        p, wanted = self.connect("replayed")
        quote = self.soft_quote(wanted)
        self.assertEqual(self.hand_in(p, quote)[0], 200)
        p, again = self.connect("replayed")
        self.assertNotEqual(wanted, again)
        self.denied(self.hand_in(p, quote), "binding")

    def test_quote_relayed_over_another_connection(self):
        self.session("relayed")
        victim, wanted = self.connect("relayed")
        attacker, _ = self.connect("relayed")
        quote = self.soft_quote(wanted)
        self.denied(self.hand_in(attacker, quote), "binding")
        self.assertEqual(self.hand_in(victim, quote)[0], 200)

    def test_quote_for_another_session(self):
        self.session("mine")
        self.session("yours")
        self.denied(self.server.provision("yours", "app", "--bind", "mine"), "binding")
        self.assertEqual(self.server.provision("yours", "app", "--bind", "yours")[0], 200)

    def test_report_data_of_nothing(self):
        self.session("zeros")
        for data in (bytes(64), b"\xff" * 64):
            p, _ = self.connect("zeros")
            self.denied(self.hand_in(p, self.soft_quote(data)), "binding")

    def test_quote_tampered_at_every_byte(self):
        self.session("tampered")
        before = len(self.server.audit())
        r = subprocess.run([PROVCLIENT, str(self.server.provision_port), "tampered", "app", "--flip", f"0:0:{1 if FULL else 7}"],
                           capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        counts = dict(map(int, line.split()) for line in r.stdout.splitlines())
        self.assertEqual(list(counts), [403])
        self.assertGreater(counts[403], 500)
        lines = [e for e in self.server.audit()[before:] if e.get("session") == "tampered"]
        self.assertEqual([e["event"] for e in lines], ["provision.denied"] * counts[403])
        self.assertEqual({e["class"] for e in lines} - {"evidence", "binding"}, set())
        self.assertGreater(len({e.get("code") for e in lines}), 3)

    def test_quotes_cut_and_stretched(self):
        self.session("cut")
        for change in (lambda q: q[:1], lambda q: q[:435], lambda q: q[:-1], lambda q: q + b"\0", lambda q: q * 2, lambda q: b"\0" * 5000):
            p, wanted = self.connect("cut")
            self.denied(self.hand_in(p, change(self.soft_quote(wanted))), "evidence")

    def test_software_root_against_a_hardware_policy(self):
        for name, security in (("hard", {"attestation": {"mode": "hardware"}}), ("hard-by-default", {})):
            self.session(name, security=security)
            self.assertEqual(self.denied(self.server.provision(name), "appraisal")["code"], "root_class")

    def test_another_software_root(self):
        self.session("other-root", security={"attestation": {"mode": "software", "software_roots": ["00" * 32]}})
        self.denied(self.server.provision("other-root"), "policy", "software root " + self.root)
        p, wanted = self.connect("other-root")
        self.assertEqual(self.denied(self.hand_in(p, Live().quote_for(wanted)), "evidence")["code"], "fmspc_mismatch")

    def test_sessions_and_services_that_are_not_there(self):
        self.session("there")
        self.denied(self.server.provision("not-there"), "session", "no session")
        self.denied(self.server.provision("there", "other"), "session", "no service")
        self.denied(self.server.provision("there/app"), "session")

    # ---- the session's side ---------------------------------------------------------------------

    def refused_put(self, text, identity, status, words):
        got, r = self.server.put(text, identity)
        self.assertEqual(got, status, r)
        line = self.server.audit()[-1]
        self.assertEqual(line["event"], "denied")
        self.assertIn(words, line["reason"])

    def test_another_sessions_certificate(self):
        r = self.session("alices")
        self.assertEqual(self.server.ask("GET", "/v1/sessions/alices", identity=self.bob)[0], 403)
        self.assertEqual((self.server.audit()[-1]["event"], self.server.audit()[-1]["what"]), ("denied", "read"))
        self.refused_put(json.dumps({"name": "alices", "version": "0.3", "predecessor": r["hash"]}), self.bob, 403, "right 'update'")
        self.assertEqual(self.server.ask("DELETE", "/v1/sessions/alices", identity=self.bob)[0], 403)
        self.assertEqual((self.server.audit()[-1]["event"], self.server.audit()[-1]["what"]), ("denied", "delete"))
        self.assertEqual(self.server.provision("alices")[0], 200)

    def test_squatting(self):
        self.session("squat")
        self.refused_put('{"name": "squat", "version": "0.3"}', self.bob, 403, "right 'update'")
        self.refused_put('{"name": "squat/below", "version": "0.3"}', self.bob, 403, "right 'create_sessions'")
        self.refused_put('{"name": "squat", "version": "0.3"}', self.alice, 409, "exists")
        self.refused_put('{"name": "nobody", "version": "0.3"}', None, 401, "client certificate")

    def test_update_with_a_stale_predecessor(self):
        first = self.session("stale")
        second = self.session("stale", {"environment": {"V": "2"}}, predecessor=first["hash"])
        self.refused_put(json.dumps({"name": "stale", "version": "0.3", "predecessor": first["hash"]}), self.alice, 409, "has changed")
        self.refused_put(json.dumps({"name": "stale", "version": "0.3", "predecessor": "00" * 32}), self.alice, 409, "has changed")
        self.assertEqual(self.server.provision("stale")[1]["environment"], [["V", "2"]])
        self.assertNotEqual(first["hash"], second["hash"])


class Chains(ProvisionTestCase):
    """Certificates and collateral that are expired, revoked or somebody else's, swapped under a running server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shift_vectors_to(int(time.time()))
        cls.folder = os.path.join(cls.root_dir, "..", "lab")
        pem = os.path.join(cls.tmp.name, "lab-root.pem")
        with open(pem, "wb") as f:
            f.write(pki.pem(Live().certificates()[2]))
        cls.lab = spki_hash(pem)
        cls.sets = os.path.join(cls.tmp.name, "sets")
        shutil.copytree(cls.root_dir, os.path.join(cls.sets, "machine"))
        cls.server.stop()
        cls.server = type(cls.server)(os.path.join(cls.tmp.name, "cas2"), "--software-root", cls.sets)

    def install(self, case):
        """Puts the collateral there and tells the server; True when it took it."""
        case.write(os.path.join(self.sets, "lab"))
        self.server.process.send_signal(signal.SIGHUP)
        line = ""
        while "collateral" not in line:
            ready, _, _ = select.select([self.server.process.stderr], [], [], 15)
            self.assertTrue(ready, "the server did not say that it read the collateral")
            line = self.server.process.stderr.readline()
        return "not reloaded" not in line

    def ask(self, name, case):
        p = subprocess.Popen([PROVCLIENT, str(self.server.provision_port), name, "app", "--ask"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        quote = case.quote_for(bytes.fromhex(p.stdout.readline().strip()))
        out, _ = p.communicate(base64.b64encode(quote).decode() + "\n", timeout=30)
        status, body = out.split("\n", 1)
        return int(status), json.loads(body)

    def lab_session(self, name, **more):
        self.session(name, security={"attestation": {"mode": "software", "software_roots": [self.lab], **more}})

    def test_chains(self):
        self.lab_session("lab")
        self.assertTrue(self.install(Live()))
        self.assertEqual(self.ask("lab", Live())[0], 200)
        now = vectors.NOW
        old, future = (now - 400 * DAY, now - 60), (now + 3600, now + 400 * DAY)
        periods = Live().periods
        cases = []
        for role in ("leaf", "issuer", "root", "signer", "pck_crl", "root_crl", "tcb_info", "qe_identity"):
            cases.append((f"expired-{role}", {"periods": {**periods, role: old}}, "expired"))
            cases.append((f"not-yet-{role}", {"periods": {**periods, role: future}}, "not_yet_valid"))
        cases += [("revoked-leaf", {"pck_revokes": [vectors.LEAF]}, "cert_revoked"),
                  ("revoked-issuer", {"root_revokes": [vectors.ISSUER]}, "cert_revoked"),
                  ("leaf-by-another-key", {"leaf_issuer_key": "impostor"}, "chain_broken"),
                  ("root-by-another-key", {"chain_root_key": "impostor"}, "roots_differ"),
                  ("another-platform", {"fmspc": bytes.fromhex("00a0b0c0d0e1")}, "fmspc_mismatch"),
                  ("another-quoting-enclave", {"qe_signer": bytes(32)}, "qe_identity_mismatch"),
                  ("another-product-of-the-signer", {"qe_prod_id": 2}, "qe_identity_mismatch")]
        for name, changes, code in cases:
            with self.subTest(name):
                case = Live(**changes)
                self.assertTrue(self.install(case))
                line = self.denied(self.ask("lab", case), "evidence")
                self.assertIn(code, line["code"])
        self.assertTrue(self.install(Live()))
        self.assertEqual(self.ask("lab", Live())[0], 200)
        # The platform of this machine was there all the time.
        self.session("machine")
        self.assertEqual(self.server.provision("machine")[0], 200)

    def test_collateral_that_does_not_hold_together_is_not_taken(self):
        self.lab_session("kept")
        self.assertTrue(self.install(Live()))
        for changes in ({"info_key": "impostor"}, {"identity_key": "impostor"}, {"root_revokes": [vectors.SIGNER]}):
            self.assertFalse(self.install(Live(**changes)))
            self.assertEqual(self.ask("kept", Live())[0], 200)
            self.assertEqual(self.server.audit()[-2]["event"], "collateral.failed")
        self.assertTrue(self.install(Live()))

    def test_statuses_and_advisories(self):
        tolerate = {"SWHardeningNeeded": ["software-hardening-needed"], "ConfigurationNeeded": ["insecure-configuration"],
                    "ConfigurationAndSWHardeningNeeded": ["software-hardening-needed", "insecure-configuration"],
                    "OutOfDate": ["outdated-tcb"], "OutOfDateConfigurationNeeded": ["outdated-tcb", "insecure-configuration"]}
        self.assertTrue(self.install(Live(advisories=[])))
        self.lab_session("strict")
        for first, status, _ in vectors.LEVELS[1:]:
            line = self.denied(self.ask("strict", Live(first=first)), "appraisal")
            self.assertEqual((line["code"], line["tcb_status"]), ("tcb_status", status))
            words = tolerate.get(status)
            name = "tolerant-" + status.lower()
            self.lab_session(name, tolerate=words or ["outdated-tcb", "insecure-configuration", "software-hardening-needed"])
            if words is None:
                self.denied(self.ask(name, Live(first=first)), "appraisal")
            else:
                self.assertEqual(self.ask(name, Live(first=first))[0], 200)
                for missing in words:
                    less = name + "-without-" + missing
                    self.lab_session(less, tolerate=[w for w in words if w != missing])
                    self.denied(self.ask(less, Live(first=first)), "appraisal")

    def test_collateral_older_than_the_session_wants(self):
        self.assertTrue(self.install(Live()))
        self.lab_session("fresh", max_collateral_age="1 day")
        self.denied(self.ask("fresh", Live()), "policy", "seconds old")
        self.lab_session("evaluated", min_tcb_evaluation=18)
        self.denied(self.ask("evaluated", Live()), "policy", "TCB evaluation data number 17 is below 18")

    def test_change_is_seen_without_a_signal(self):
        self.lab_session("quiet")
        self.assertTrue(self.install(Live()))
        self.assertEqual(self.ask("quiet", Live())[0], 200)
        Live(pck_revokes=[vectors.LEAF]).write(os.path.join(self.sets, "lab"))
        deadline = time.monotonic() + 20
        while self.ask("quiet", Live())[0] == 200:
            self.assertLess(time.monotonic(), deadline, "the new list of revoked certificates was not read")
            time.sleep(0.5)
        self.assertEqual(self.server.process.poll(), None)
        line = self.server.process.stderr.readline()
        self.assertIn("collateral", line)


if __name__ == "__main__":
    unittest.main()
