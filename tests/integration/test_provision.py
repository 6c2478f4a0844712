#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Provisioning as enclaves see it: what an entitled service gets, and who gets nothing."""
import base64
import concurrent.futures
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from test_cas import Server, make_identity, run, spki_hash

PROVCLIENT = os.environ["PROVCLIENT"]
NACRE = os.environ["NACRE"]
MRENCLAVE, MRSIGNER = "11" * 32, "22" * 32


class ProvisionServer(Server):
    """A CAS with a provisioning door, and its audit log."""

    def __init__(self, folder, *options):
        super().__init__(folder, "--provision-listen", "127.0.0.1:0",
                         *(() if "--max-provision-rate" in options else ("--max-provision-rate", "100000")), *options)
        self.provision_port = int(re.search(r"provisioning on 127\.0\.0\.1:(\d+)", self.hello).group(1))

    def provision(self, session, service="app", *options, answer=None):
        r = subprocess.run([PROVCLIENT, str(self.provision_port), session, service, *options], capture_output=True,
                           text=True, timeout=60, check=False, input=answer)
        if r.returncode not in (0, 1):
            raise AssertionError(r.stderr)
        lines = r.stdout.splitlines()
        if "--ask" in options:
            lines = lines[1:]
        return int(lines[0]), json.loads(lines[1]) if len(lines) > 1 and lines[1] else None

    def raw(self, data, wait=10):
        context = ssl.create_default_context(cafile=self.cert)
        with socket.create_connection(("127.0.0.1", self.provision_port), timeout=wait) as s:
            with context.wrap_socket(s, server_hostname="localhost") as t:
                t.sendall(data)
                answer = b""
                while True:
                    try:
                        more = t.recv(65536)
                    except (ssl.SSLError, ConnectionError):
                        break
                    if not more:
                        break
                    answer += more
        m = re.match(rb"HTTP/1\.1 (\d+) ", answer)
        return (int(m.group(1)) if m else 0), answer.partition(b"\r\n\r\n")[2]

    def post(self, body):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.raw(b"POST /v1/provision HTTP/1.1\r\nHost: cas\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def audit(self):
        with open(os.path.join(self.folder, "audit.log"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def line_of(self, reference):
        found = [e for e in self.audit() if e.get("reference") == reference]
        assert len(found) == 1, found
        return found[0]


class ProvisionTestCase(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-provision-")
        cls.old_state = os.environ.get("NACRE_STATE_DIR")
        os.environ["NACRE_STATE_DIR"] = os.path.join(cls.tmp.name, "state")
        cls.root_dir = os.path.join(cls.tmp.name, "root")
        r = run(NACRE, "softsgx", "root", "--export", cls.root_dir)
        assert r.returncode == 0, r.stderr
        cls.root = spki_hash(os.path.join(cls.root_dir, "root_ca.pem"))
        cls.alice = make_identity(cls.tmp.name, "alice")
        cls.server = ProvisionServer(os.path.join(cls.tmp.name, "cas"), "--software-root", cls.root_dir, *cls.options)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.tmp.cleanup()
        if cls.old_state is None:
            del os.environ["NACRE_STATE_DIR"]
        else:
            os.environ["NACRE_STATE_DIR"] = cls.old_state
        assert code == 0, f"the server ended with {code}"

    def software(self, **more):
        return {"attestation": {"mode": "software", "software_roots": [self.root], **more}}

    def session(self, name, service=None, security=None, **more):
        """Puts a session with one service 'app'; JSON is YAML."""
        service = {"name": "app", "command": "/bin/app --flag", **(service or {})}
        if "attestation" not in service:
            service.setdefault("mrenclaves", [MRENCLAVE])
        doc = {"name": name, "version": "0.3", "services": [service],
               "security": self.software() if security is None else security, **more}
        status, r = self.server.put(json.dumps(doc), self.alice)
        self.assertIn(status, (200, 201), r)
        return r

    def denied(self, answer, kind, words=""):
        """The one answer to all refusals, and the line in the log that says why."""
        status, body = answer
        self.assertEqual((status, sorted(body)), (403, ["error", "message", "reference"]), body)
        self.assertEqual((body["error"], body["message"]), ("denied", "the service is not provisioned"))
        line = self.server.line_of(body["reference"])
        self.assertEqual((line["event"], line["class"]), ("provision.denied", kind), line)
        self.assertIn(words, line["reason"])
        return line


class Provision(ProvisionTestCase):
    def test_document_has_everything_the_service_may_have(self):
        self.session("full", {
            "command": "python3 '/app/my main.py' --pw=$$SCONE::pw$$", "pwd": "/app", "image_name": "img",
            "environment": {"A": "1", "TOKEN": "x$$SCONE::pw$$y", "UNI": "\u00fc \"quoted\" \\ \n"},
            "fspf_key": "$$SCONE::key$$", "sealed_root": "ab" * 32,
        }, secrets=[{"name": "pw", "kind": "ascii", "value": "s3cr\"et"}, {"name": "key", "kind": "binary", "value": "5a" * 32},
                    {"name": "tls", "kind": "private-key"}, {"name": "crt", "kind": "x509", "private_key": "tls", "dns": ["a"]}],
           images=[{"name": "img", "injection_files": [
               {"path": "/etc/app.json", "content": '{"pw": "$$SCONE::pw|escape(json)$$"}'},
               {"path": "/etc/raw", "content": "$$SCONE::key$$", "permission": "0o400"},
               {"path": "/etc/crt.pem", "content": "$$SCONE::crt.crt$$"}]}])
        status, doc = self.server.provision("full")
        self.assertEqual(status, 200, doc)
        files = {f["path"]: f for f in doc.pop("files")}
        self.assertEqual(doc, {
            "version": 1, "argv": ["python3", "/app/my main.py", "--pw=s3cr\"et"], "pwd": "/app", "volumes": [],
            "environment": [["A", "1"], ["TOKEN", "xs3cr\"ety"], ["UNI", "\u00fc \"quoted\" \\ \n"]],
            "sealed": {"key": "5a" * 32, "root": "ab" * 32}})
        self.assertEqual(json.loads(base64.b64decode(files["/etc/app.json"]["data"])), {"pw": "s3cr\"et"})
        self.assertEqual(base64.b64decode(files["/etc/raw"]["data"]), b"\x5a" * 32)
        self.assertEqual([files[p]["mode"] for p in sorted(files)], [0o700, 0o700, 0o400])
        self.assertEqual({(f["uid"], f["gid"]) for f in files.values()}, {(0, 0)})
        self.assertIn(b"BEGIN CERTIFICATE", base64.b64decode(files["/etc/crt.pem"]["data"]))
        line = self.server.audit()[-1]
        self.assertEqual((line["event"], line["session"], line["service"], line["mrenclave"], line["root_class"]),
                         ("provision", "full", "app", MRENCLAVE, "software"))
        self.assertNotIn("s3cr", json.dumps(self.server.audit()))

    def test_defaults(self):
        self.session("plain")
        status, doc = self.server.provision("plain")
        self.assertEqual((status, doc), (200, {"version": 1, "argv": ["/bin/app", "--flag"], "environment": [], "pwd": "/",
                                               "volumes": [], "files": []}))

    def test_sealed_root_as_far_as_the_session_says_it(self):
        # As sessions written for SCONE have it: key and tag, which is the first half of the root.
        self.session("scone", {"fspf_key": "5a" * 32, "fspf_tag": "ab" * 16, "fspf_path": "/fspf/fs.fspf"})
        self.assertEqual(self.server.provision("scone")[1]["sealed"], {"key": "5a" * 32, "root": "ab" * 16})
        self.session("key-alone", {"fspf_key": "5a" * 32})
        self.assertEqual(self.server.provision("key-alone")[1]["sealed"], {"key": "5a" * 32})

    def test_mode_none_gives_to_whoever_asks(self):
        self.session("open", {"mrenclaves": []}, {"attestation": {"mode": "none"}})
        self.assertEqual(self.server.provision("open", "app", "--none")[0], 200)
        self.assertEqual(self.server.provision("open")[0], 200)
        self.assertEqual(self.server.provision("open", "app", "--ask", answer="AAAA\n")[0], 200)
        self.session("closed")
        self.denied(self.server.provision("closed", "app", "--none"), "policy", "no evidence")

    def test_update_and_delete_count_at_once(self):
        r = self.session("moving")
        self.assertEqual(self.server.provision("moving")[0], 200)
        r = self.session("moving", {"mrenclaves": ["33" * 32]}, predecessor=r["hash"])
        self.denied(self.server.provision("moving"), "policy", "MRENCLAVE")
        r = self.session("moving", {"environment": {"NEW": "1"}}, predecessor=r["hash"])
        self.assertEqual(self.server.provision("moving")[1]["environment"], [["NEW", "1"]])
        self.assertEqual(self.server.ask("DELETE", "/v1/sessions/moving", identity=self.alice)[0], 200)
        self.denied(self.server.provision("moving"), "session")

    def test_imports_reach_the_document(self):
        self.session("lender", secrets=[{"name": "k", "kind": "ascii", "value": "lent", "export": ["borrower"]}])
        self.session("borrower", {"environment": {"K": "$$SCONE::mine$$"}},
                     secrets=[{"name": "mine", "import": {"session": "lender", "secret": "k"}}])
        self.assertEqual(self.server.provision("borrower")[1]["environment"], [["K", "lent"]])

    def test_volumes_own_and_imported(self):
        self.session("store", secrets=[{"name": "vk", "kind": "binary", "value": "77" * 32}],
                     volumes=[{"name": "data", "fspf_key": "$$SCONE::vk$$", "sealed_root": "cd" * 32, "export": [{"to": "reader", "volume_alias": "lent"}]},
                              {"name": "private", "fspf_key": "66" * 32, "sealed_root": "ef" * 32}])
        own = {"name": "own", "fspf_key": "55" * 32, "sealed_root": "ab" * 32}
        image = [{"name": "i", "volumes": [{"name": "own", "path": "/own"}, {"name": "theirs", "path": "/theirs"}]}]
        self.session("reader", {"image_name": "i"}, images=image,
                     volumes=[own, {"name": "theirs", "import": {"session": "store", "volume": "lent"}}])
        status, doc = self.server.provision("reader")
        self.assertEqual(status, 200, doc)
        self.assertEqual(doc["volumes"], [{"name": "own", "path": "/own", "key": "55" * 32, "root": "ab" * 32},
                                          {"name": "theirs", "path": "/theirs", "key": "77" * 32, "root": "cd" * 32}])
        for name, wanted in (("thief", "lent"), ("thief2", "private"), ("thief3", "data")):
            self.session(name, {"image_name": "i"}, images=image,
                         volumes=[own, {"name": "theirs", "import": {"session": "store", "volume": wanted}}])
            self.denied(self.server.provision(name), "configuration", "does not export a volume")
        self.session("rootless", {"image_name": "i"}, images=[{"name": "i", "volumes": [{"name": "v", "path": "/v"}]}],
                     volumes=[{"name": "v", "fspf_key": "55" * 32}])
        self.denied(self.server.provision("rootless"), "configuration", "lacks sealed_root")

    def test_sessions_that_cannot_be_applied(self):
        for name, service, why in (("nocmd", {"command": []}, "no command"),
                                   ("nokey", {"sealed_root": "ab" * 32}, "the key is missing"),
                                   ("badkey", {"fspf_key": "$$SCONE::short$$", "sealed_root": "ab" * 32}, "32"),
                                   ("nul", {"environment": {"X": "$$SCONE::short$$"}}, "NUL")):
            try:
                self.session(name, service, secrets=[{"name": "short", "kind": "binary", "value": "00ff00ff"}])
            except AssertionError:
                continue  # refused even earlier, when the session was made
            self.denied(self.server.provision(name), "configuration", why)

    def test_malformed_requests(self):
        good = {"version": 1, "session": "x", "service": "y", "evidence": {"type": "none"}}
        self.assertEqual(self.server.post(good)[0], 403)
        cases = [b"", b"{", b"[]", b"null", b"\xff\xfe", json.dumps(good).encode() + b"x", json.dumps(good).encode() * 2,
                 b'{"version":1,"version":1,"session":"x","service":"y","evidence":{"type":"none"}}',
                 {**good, "version": 2}, {**good, "version": "1"}, {**good, "version": True}, {**good, "more": 1},
                 {**good, "session": ""}, {**good, "session": "a//b"}, {**good, "session": "../a"}, {**good, "session": 5},
                 {**good, "session": "x" * 513}, {**good, "session": "a\u0000b"}, {**good, "service": "a/b"}, {**good, "service": ""},
                 {**good, "service": "s" * 129}, {**good, "evidence": {}}, {**good, "evidence": {"type": "tdx"}},
                 {**good, "evidence": {"type": "none", "quote": "AAAA"}}, {**good, "evidence": {"type": "sgx-dcap"}},
                 {**good, "evidence": {"type": "sgx-dcap", "quote": ""}}, {**good, "evidence": {"type": "sgx-dcap", "quote": "A"}},
                 {**good, "evidence": {"type": "sgx-dcap", "quote": "AA==\n"}}, {**good, "evidence": {"type": "sgx-dcap", "quote": 1}},
                 {**good, "evidence": "none"}, {k: v for k, v in good.items() if k != "session"}]
        before = len(self.server.audit())
        for case in cases:
            status, body = self.server.post(case)
            self.assertEqual((status, json.loads(body)["error"]), (400, "malformed"), case)
        self.assertEqual(self.server.post(b"[" * 60000)[0], 400)
        self.assertEqual(self.server.raw(b"POST /v1/provision HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n")[0], 413)
        self.assertEqual(len(self.server.audit()), before)

    def test_other_requests(self):
        for data, status in ((b"GET /v1/provision HTTP/1.1\r\nHost: x\r\n\r\n", 405),
                             (b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404),
                             (b"POST /v1/provision?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404),
                             (b"POST /v1/provision HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
                             (b"POST /v1/provision HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}{}", 400),
                             (b"\x16\x03\x01\x00\r\n\r\n", 400)):
            self.assertEqual(self.server.raw(data)[0], status, data)

    def test_one_request_on_one_connection(self):
        body = b'{"version":1,"session":"x","service":"y","evidence":{"type":"none"}}'
        one = b"POST /v1/provision HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        status, answer = self.server.raw(one)
        self.assertEqual((status, answer.count(b"HTTP/1.1")), (403, 0))
        self.assertEqual(self.server.raw(one + one)[0], 400)

    def test_tls_1_3_only_and_no_certificate_asked(self):
        context = ssl.create_default_context(cafile=self.server.cert)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", self.server.provision_port), timeout=10) as raw:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(raw, server_hostname="localhost")
        r = run("openssl", "s_client", "-connect", f"127.0.0.1:{self.server.provision_port}", "-tls1_3", stdin=subprocess.DEVNULL)
        self.assertIn("No client certificate CA names sent", r.stdout)
        self.assertNotIn("Requested Signature Algorithms", r.stdout)
        self.assertIn("TLSv1.3", r.stdout)

    def test_slow_clients_do_no_harm(self):
        self.session("brisk")
        idle = [socket.create_connection(("127.0.0.1", self.server.provision_port)) for _ in range(60)]
        context = ssl.create_default_context(cafile=self.server.cert)
        drip = context.wrap_socket(socket.create_connection(("127.0.0.1", self.server.provision_port)), server_hostname="localhost")
        drip.sendall(b"POST /v1/provision HTTP/1.1\r\nHost")
        start = time.monotonic()
        self.assertEqual(self.server.provision("brisk")[0], 200)
        self.assertLess(time.monotonic() - start, 3)
        drip.settimeout(15)
        try:
            while time.monotonic() - start < 12 and drip.recv(4096):
                pass
        except (ssl.SSLError, ConnectionError):
            pass
        self.assertLess(time.monotonic() - start, 9)
        drip.close()
        for s in idle:
            s.settimeout(10)
            self.assertEqual(s.recv(1), b"")
            s.close()

    def test_metrics(self):
        self.session("metered")
        self.server.provision("metered")
        self.server.provision("metered", "app", "--mrenclave", "33" * 32)
        text = self.server.ask("GET", "/metrics")[1].decode()
        self.assertRegex(text, r"(?m)^nacre_cas_provisioned_total [1-9]\d*$")
        self.assertRegex(text, r'(?m)^nacre_cas_provisioning_denied_total\{reason="policy"\} [1-9]\d*$')
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) nacre_cas_\w+ .+|nacre_cas_\w+(\{\w+="\w+"\})? [0-9.]+)$')

    def test_audit_chain_holds(self):
        self.session("chain")
        self.server.provision("chain")
        self.server.provision("nothing")
        r = run(NACRE, "audit", "verify", os.path.join(self.server.folder, "audit.log"))
        self.assertEqual(r.returncode, 0, r.stderr)


class Limits(ProvisionTestCase):
    options = ("--max-provision-rate", "5", "--max-connections-per-peer", "8")

    def test_too_many_requests_from_one_address(self):
        self.session("wanted")
        before = len(self.server.audit())
        time.sleep(2.1)  # whatever ran before, ten requests are allowed at once
        with concurrent.futures.ThreadPoolExecutor(4) as pool:  # more than five a second anywhere
            got = list(pool.map(lambda _: self.server.provision("wanted", "app", "--none"), range(40)))
        self.assertEqual({s for s, _ in got}, {403, 429})
        self.assertGreaterEqual([s for s, _ in got].count(403), 10)
        busy = next(b for s, b in got if s == 429)
        self.assertEqual(busy["error"], "busy")
        # None of that wrote to the log.
        self.assertEqual(len(self.server.audit()) - before, [s for s, _ in got].count(403))
        time.sleep(1.1)
        self.assertEqual(self.server.provision("wanted")[0], 200)

    def test_too_many_connections_from_one_address(self):
        held = [socket.create_connection(("127.0.0.1", self.server.provision_port)) for _ in range(8)]
        time.sleep(0.2)
        more = socket.create_connection(("127.0.0.1", self.server.provision_port))
        more.settimeout(3)
        self.assertEqual(more.recv(1), b"")
        for s in (*held, more):
            s.close()
        time.sleep(1.2)
        self.session("after")
        self.assertEqual(self.server.provision("after")[0], 200)


class Options(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="nacre-provision-")
        self.env = dict(os.environ, NACRE_STATE_DIR=os.path.join(self.tmp.name, "state"))

    def tearDown(self):
        self.tmp.cleanup()

    def serve(self, *options):
        return subprocess.run([NACRE, "cas", "serve", "--dir", os.path.join(self.tmp.name, "cas"), "--listen", "127.0.0.1:0",
                               *options], capture_output=True, text=True, env=self.env, timeout=20, check=False)

    def test_wrong_collateral_is_said_at_the_start(self):
        empty = os.path.join(self.tmp.name, "empty")
        os.mkdir(empty)
        r = self.serve("--provision-listen", "127.0.0.1:0", "--collateral", empty)
        self.assertEqual(r.returncode, 1)
        self.assertIn("there is no collateral in", r.stderr)
        run(NACRE, "softsgx", "root", "--export", os.path.join(self.tmp.name, "root"), env=self.env)
        r = self.serve("--provision-listen", "127.0.0.1:0", "--collateral", os.path.join(self.tmp.name, "root"))
        self.assertEqual(r.returncode, 1)
        self.assertIn("--software-root", r.stderr)
        r = self.serve("--provision-listen", "nowhere")
        self.assertEqual(r.returncode, 1)
        self.assertIn("--provision-listen wants", r.stderr)

    def test_local_root_and_off(self):
        os.environ["NACRE_STATE_DIR"] = self.env["NACRE_STATE_DIR"]
        try:
            s = Server(os.path.join(self.tmp.name, "cas"), "--provision-listen", "off", "--software-root", "local")
        finally:
            del os.environ["NACRE_STATE_DIR"]
        self.assertIn("1 below software roots", s.hello)
        self.assertNotIn("provisioning on", s.hello)
        self.assertEqual(s.stop(), 0)


if __name__ == "__main__":
    unittest.main()
