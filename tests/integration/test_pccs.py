#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Collateral from a caching service: fetched once for a genuine platform, for nobody else, kept in the cache."""
import base64
import http.server
import json
import os
import subprocess
import threading
import unittest
import urllib.parse

from test_provision import PROVCLIENT, ProvisionServer, ProvisionTestCase

CASE = os.path.join(os.environ.get("NACRE_VECTORS", "/nowhere"), "cases", "q3-sgx-automata-quotev3-hex-a")


class Pccs(http.server.ThreadingHTTPServer):
    """What Intel's caching service answers for one platform, with things that can go wrong."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.trouble = [], None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.server.asked.append(self.path)
        read = lambda name: open(os.path.join(CASE, name), "rb").read()  # noqa: E731
        chain = {"TCB-Info-Issuer-Chain": urllib.parse.quote(read("tcb_signing_chain.pem").decode())}
        answers = {
            "/sgx/certification/v4/tcb": (read("tcb_info.json"), chain),
            "/sgx/certification/v4/qe/identity": (read("qe_identity.json"), {"SGX-Enclave-Identity-Issuer-Chain": chain["TCB-Info-Issuer-Chain"]}),
            "/sgx/certification/v4/pckcrl": (read("pck_crl.der"), {}),
            "/sgx/certification/v4/rootcacrl": (read("root_ca_crl.der").hex().encode(), {}),
        }
        body, headers = answers.get(url.path, (b"", {}))
        status = 200 if body else 404
        if self.server.trouble and url.path.endswith(self.server.trouble[0]):
            status, body, headers = self.server.trouble[1], self.server.trouble[2], headers if self.server.trouble[1] == 200 else {}
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k.lower(), v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@unittest.skipUnless(os.path.isdir(CASE), "the shared vectors are not here: NACRE_VECTORS")
class Fetching(ProvisionTestCase):
    @classmethod
    def setUpClass(cls):
        cls.pccs = Pccs()
        super().setUpClass()
        with open(os.path.join(CASE, "quote.bin"), "rb") as f:
            cls.quote = f.read()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.pccs.shutdown()
        cls.pccs.server_close()

    def setUp(self):
        self.pccs.asked.clear()
        self.pccs.trouble = None
        self.number = getattr(Fetching, "number", 0) + 1
        Fetching.number = self.number
        self.cas = ProvisionServer(os.path.join(self.tmp.name, f"cas-{self.number}"), "--software-root", self.root_dir,
                                   "--pccs", f"http://127.0.0.1:{self.pccs.server_port}/")

    def tearDown(self):
        self.assertEqual(self.cas.stop(), 0)

    def hand_in(self, quote):
        p = subprocess.Popen([PROVCLIENT, str(self.cas.provision_port), "x", "app", "--ask"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        out, _ = p.communicate(base64.b64encode(quote).decode() + "\n", timeout=60)
        status, body = out.split("\n", 1)
        return int(status), json.loads(body)

    def line(self, body):
        return self.cas.line_of(body["reference"])

    def cached(self):
        folder = os.path.join(self.cas.folder, "collateral")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_genuine_platform_brings_its_collateral(self):
        status, body = self.hand_in(self.quote)
        # What is fetched decides; it is of its day, and that has passed.
        self.assertEqual(status, 403)
        self.assertRegex(self.line(body)["code"], "_expired$")
        self.assertEqual([urllib.parse.urlsplit(a).path.rpartition("/")[2] for a in self.pccs.asked], ["tcb", "identity", "pckcrl", "rootcacrl"])
        self.assertIn("fmspc=00606a000000", self.pccs.asked[0])
        names = self.cached()
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], "^00606a000000-(platform|processor)$")
        self.assertIn("ca=" + names[0].split("-")[1], self.pccs.asked[2])
        folder = os.path.join(self.cas.folder, "collateral", names[0])
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as a, open(os.path.join(CASE, name), "rb") as b:
                self.assertEqual(a.read().strip(), b.read().strip(), name)
        # Known now: nobody is asked again.
        self.pccs.asked.clear()
        self.hand_in(self.quote)
        self.assertEqual(self.pccs.asked, [])

    def test_cache_serves_the_next_start_and_old_sets_are_fetched_again(self):
        self.hand_in(self.quote)
        self.assertEqual(self.cas.stop(), 0)
        name = self.cached()[0]
        self.pccs.asked.clear()
        self.cas = ProvisionServer(self.cas.folder, "--software-root", self.root_dir, "--pccs", f"http://127.0.0.1:{self.pccs.server_port}")
        self.assertIn("1 set below Intel's root", self.cas.hello)
        self.hand_in(self.quote)
        self.assertEqual(self.pccs.asked, [])
        self.assertEqual(self.cas.stop(), 0)
        os.utime(os.path.join(self.cas.folder, "collateral", name, "tcb_info.json"), (0, 0))
        self.cas = ProvisionServer(self.cas.folder, "--software-root", self.root_dir, "--pccs", f"http://127.0.0.1:{self.pccs.server_port}")
        line = self.cas.process.stderr.readline()
        self.assertIn("collateral", line)
        self.assertEqual(len(self.pccs.asked), 4)
        self.assertEqual(self.cached(), [name])

    def test_nobody_without_a_genuine_certificate_is_looked_for(self):
        self.assertEqual(self.hand_in(self.quote[:1000] + b"\0" + self.quote[1001:])[0], 403)
        at = self.quote.index(b"-----BEGIN") + 200
        for bad in (b"x" * 5000, self.quote[:at] + bytes([self.quote[at] ^ 1]) + self.quote[at + 1:]):
            self.assertEqual(self.hand_in(bad)[0], 403)
        self.assertLessEqual(len(self.pccs.asked), 4)  # of the first, whose chain is whole

    def test_trouble_is_said_and_tried_again_later(self):
        for path, status, body in (("tcb", 404, b""), ("tcb", 500, b"x"), ("pckcrl", 200, b"nonsense"), ("identity", 200, b"")):
            self.pccs.trouble = (path, status, body)
            status, answer = self.hand_in(self.quote)
            self.assertEqual((status, answer["error"]), (503, "unavailable"))
            self.assertEqual(self.line(answer)["event"], "provision.failed")
            self.assertEqual(self.cached(), [])
            # Not again within the minute: the same platform cannot make CAS ask and ask.
            asked = len(self.pccs.asked)
            self.assertEqual(self.hand_in(self.quote)[0], 403)
            self.assertEqual(len(self.pccs.asked), asked)
            self.tearDown()
            self.setUp()

    def test_answers_that_are_not_intels_are_not_used(self):
        with open(os.path.join(CASE, "tcb_info.json"), "rb") as f:
            changed = f.read().replace(b"OutOfDate", b"UpToDate", 1)
        self.pccs.trouble = ("tcb", 200, changed)
        status, answer = self.hand_in(self.quote)
        self.assertEqual(status, 503)
        self.assertIn("signature", self.line(answer)["reason"])
        self.assertEqual(self.cached(), [])


class Options(unittest.TestCase):
    def test_bad_addresses(self):
        for url in ("", "ftp://x", "https://", "pccs:8081", "https:///x"):
            r = subprocess.run([os.environ["NACRE"], "cas", "serve", "--dir", "/nowhere/there", "--pccs", url], capture_output=True,
                               text=True, timeout=20, check=False)
            self.assertEqual(r.returncode, 1)


if __name__ == "__main__":
    unittest.main()
