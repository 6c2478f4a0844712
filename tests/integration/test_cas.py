#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nacre cas serve` as its clients see it, friendly ones and others."""
import hashlib
import http.client
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
import urllib.parse

NACRE = os.environ["NACRE"]


def run(*args, **kw):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **kw)


def make_identity(folder, name, *alg):
    pem = os.path.join(folder, name + ".pem")
    alg = alg or ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    r = run("openssl", "req", "-newkey", *alg, "-nodes", "-x509", "-days", "2", "-subj", "/CN=" + name,
            "-keyout", pem + ".key", "-out", pem + ".crt")
    assert r.returncode == 0, r.stderr
    with open(pem, "w", encoding="utf-8") as out:
        for part in (".key", ".crt"):
            with open(pem + part, encoding="utf-8") as f:
                out.write(f.read())
    return pem


def public_der(cert):
    """The SubjectPublicKeyInfo of a certificate in a PEM file."""
    pem = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"], capture_output=True, check=True).stdout
    return subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout


def spki_hash(cert):
    return hashlib.sha256(public_der(cert)).hexdigest()


class Server:
    def __init__(self, folder, *options):
        self.folder = folder
        self.process = subprocess.Popen([NACRE, "cas", "serve", "--dir", folder, "--listen", "127.0.0.1:0",
                                         *(() if "--provision-listen" in options else ("--provision-listen", "off")), *options], stderr=subprocess.PIPE, text=True)
        text = ""
        while "--cacert" not in text:
            line = self.process.stderr.readline()
            if not line:
                raise AssertionError("the server did not start: " + text)
            text += line
        self.hello = text
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", text).group(1))
        self.pin = re.search(r"key to pin: (\S+)", text).group(1)
        self.cert = re.search(r"--cacert: (\S+)", text).group(1)

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        code = self.process.wait(20)
        self.process.stderr.close()
        return code

    def context(self, identity=None):
        c = ssl.create_default_context(cafile=self.cert)
        if identity:
            c.load_cert_chain(identity)
        return c

    def tls(self, identity=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        return self.context(identity).wrap_socket(raw, server_hostname="localhost")

    def ask(self, method, path, body=None, identity=None):
        c = http.client.HTTPSConnection("localhost", self.port, context=self.context(identity), timeout=20)
        try:
            c.request(method, path, body)
            r = c.getresponse()
            data = r.read()
        finally:
            c.close()
        if data and r.getheader("Content-Type") == "application/json":
            data = json.loads(data)
        return r.status, data

    def put(self, text, identity):
        return self.ask("POST", "/v1/sessions", text.encode(), identity)


SESSION = 'name: %s\nversion: "0.3"\n'


class CasTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-cas-")
        cls.alice = make_identity(cls.tmp.name, "alice")
        cls.bob = make_identity(cls.tmp.name, "bob", "rsa:2048")
        cls.server = Server(os.path.join(cls.tmp.name, "cas"))

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.tmp.cleanup()
        assert code == 0, f"the server ended with {code}"

    def alive(self):
        self.assertEqual(self.server.ask("GET", "/v1/health/ready"), (200, {"status": "ok"}))

    def test_about(self):
        status, v = self.server.ask("GET", "/v1/version")
        self.assertEqual((status, v["name"], v["session_language"]), (200, "nacre", "0.3.12"))
        self.assertEqual(self.server.ask("GET", "/v1/health/live")[0], 200)
        status, text = self.server.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertRegex(text.decode(), r'nacre_cas_connections_total\{door="api"\} \d+\n')
        for line in text.decode().splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) nacre_cas_\w+ .+|nacre_cas_\w+(\{\w+="\w+"\})? [0-9.]+)$')

    def test_openapi_names_every_route_that_answers(self):
        status, doc = self.server.ask("GET", "/v1/openapi.json")
        self.assertEqual(status, 200)
        self.assertEqual(doc["openapi"], "3.0.3")
        refs = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(doc)))
        self.assertEqual(refs - set(doc["components"]["schemas"]), set())
        seen = 0
        for path, operations in doc["paths"].items():
            for method, op in operations.items():
                self.assertTrue(op["summary"])
                status, _ = self.server.ask(method.upper(), path.replace("{name}", "nope"), b"" if method == "post" else None)
                self.assertNotIn(status, (405, 500, 501), f"{method} {path}")
                seen += 1
            status, _ = self.server.ask("PATCH", path.replace("{name}", "nope"))
            self.assertEqual(status, 405)
        self.assertGreaterEqual(seen, 11)
        self.assertEqual(self.server.ask("GET", "/v1/nope")[0], 404)
        self.assertEqual(self.server.ask("HEAD", "/v1/version"), (405, b""))

    def test_life_of_a_session(self):
        text = SESSION % "life" + "secrets: [{name: pw, kind: ascii, value: s3cret}]\n"
        status, r = self.server.put(text, self.alice)
        self.assertEqual((status, r["created"], r["name"]), (201, True, "life"))
        self.assertEqual(self.server.put(text, self.alice)[0], 409)
        status, read = self.server.ask("GET", "/v1/sessions/life", identity=self.alice)
        self.assertEqual((status, read["hash"]), (200, r["hash"]))
        self.assertNotIn("s3cret", read["session"])
        self.assertEqual(self.server.ask("GET", "/v1/sessions/life", identity=self.bob)[0], 403)
        self.assertEqual(self.server.ask("GET", "/v1/sessions/life")[0], 401)
        status, r2 = self.server.put(text + f"predecessor: {r['hash']}\n", self.alice)
        self.assertEqual((status, r2["created"]), (200, False))
        status, why = self.server.put(text + f"predecessor: {r['hash']}\n", self.alice)
        self.assertEqual(status, 409)
        self.assertIn("has changed", why["msg"][0])
        self.assertEqual(self.server.ask("GET", f"/v1/sessions/life?hash={r['hash']}", identity=self.alice)[0], 200)
        self.assertEqual(self.server.ask("GET", "/v1/sessions/life?hash=zz", identity=self.alice)[0], 400)
        self.assertEqual(self.server.ask("DELETE", "/v1/sessions/life", identity=self.bob)[0], 403)
        self.assertEqual(self.server.ask("DELETE", f"/v1/sessions/life?hash={r['hash']}", identity=self.alice)[0], 409)
        self.assertEqual(self.server.ask("DELETE", f"/v1/sessions/life?hash={r2['hash']}", identity=self.alice)[0], 200)
        self.assertEqual(self.server.ask("GET", "/v1/sessions/life", identity=self.alice)[0], 404)

    def test_document_errors_come_with_their_lines(self):
        status, r = self.server.put(SESSION % "x" + "sercets: []\nimagse: []\n", self.alice)
        self.assertEqual(status, 400)
        self.assertEqual(r["msg"], ["line 3 column 1: unknown key 'sercets' in the session; did you mean 'secrets'?",
                                    "line 4 column 1: unknown key 'imagse' in the session; did you mean 'images'?"])
        status, r = self.server.ask("POST", "/v1/sessions?verify=true", (SESSION % "dry").encode(), self.alice)
        self.assertEqual((status, r["created"]), (200, True))
        self.assertEqual(self.server.ask("GET", "/v1/sessions/dry", identity=self.alice)[0], 404)

    def test_namespaces_and_slashes_in_paths(self):
        self.assertEqual(self.server.put(SESSION % "ns", self.alice)[0], 201)
        self.assertEqual(self.server.put(SESSION % "ns/app", self.bob)[0], 403)
        self.assertEqual(self.server.put(SESSION % "ns/app", self.alice)[0], 201)
        for path in ("/v1/sessions/ns/app", "/v1/sessions/ns%2Fapp"):
            self.assertEqual(self.server.ask("GET", path, identity=self.alice)[0], 200)
        status, r = self.server.ask("GET", "/v1/sessions?namespace=ns", identity=self.alice)
        self.assertEqual((status, [s["name"] for s in r["sessions"]], r["next"]), (200, ["ns/app"], None))

    def test_public_values_without_a_certificate(self):
        text = SESSION % "pub" + ("secrets:\n  - {name: k, kind: private-key}\n"
                                  "  - {name: ca, kind: x509-ca, private_key: k, export_public: true}\n"
                                  "  - {name: n, kind: ascii, value: '42', export_public: true}\n")
        self.assertEqual(self.server.put(text, self.alice)[0], 201)
        status, r = self.server.ask("GET", "/v1/values/session=pub")
        self.assertEqual((status, sorted(r["values"])), (200, ["ca", "n"]))
        pem = r["values"]["ca"]["value"]
        self.assertEqual(ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem)).strip(), pem.strip())
        status, r = self.server.ask("GET", "/v1/values/session=pub,secret=n")
        self.assertEqual((status, r), (200, {"kind": "string", "value": "42", "expires": None, "renew": None}))
        self.assertEqual(self.server.ask("GET", "/v1/values/session=pub,secret=k")[0], 404)
        self.assertEqual(self.server.ask("GET", "/v1/values/pub")[0], 400)

    def test_tls_versions(self):
        for version, ok in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_1, False)):
            c = self.server.context()
            c.minimum_version = c.maximum_version = version
            c.set_ciphers("ALL:@SECLEVEL=0")
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as raw:
                try:
                    with c.wrap_socket(raw, server_hostname="localhost"):
                        got = True
                except (ssl.SSLError, ConnectionError):
                    got = False
            self.assertEqual(got, ok, version)

    def test_weak_client_key_refused(self):
        weak = make_identity(self.tmp.name, "weak", "rsa:1024")
        c = self.server.context()
        c.set_ciphers("DEFAULT:@SECLEVEL=0")
        c.load_cert_chain(weak)
        conn = http.client.HTTPSConnection("localhost", self.server.port, context=c, timeout=10)
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            conn.request("GET", "/v1/version")
            conn.getresponse()
        conn.close()
        self.alive()

    def test_another_server_is_not_trusted(self):
        other = make_identity(self.tmp.name, "other")
        c = ssl.create_default_context(cafile=other + ".crt")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as raw:
            with self.assertRaises(ssl.SSLCertVerificationError):
                c.wrap_socket(raw, server_hostname="localhost")

    def raw(self, data, wait=6):
        """Sends bytes, returns the status of the answer (0: none)."""
        with self.server.tls() as s:
            s.settimeout(wait)
            try:
                s.sendall(data)
                answer = s.recv(65536)
            except (ssl.SSLError, ConnectionError, socket.timeout):
                return 0
        m = re.match(rb"HTTP/1\.1 (\d+) ", answer)
        return int(m.group(1)) if m else 0

    def test_malformed_requests(self):
        host = b"Host: x\r\n"
        cases = [
            (b"\x16\x03\x01\x00", 400), (b"\r\n\r\n", 400), (b"GET\r\n\r\n", 400), (b"GET /\r\n\r\n", 400),
            (b"GET / HTTP/2.0\r\n" + host + b"\r\n", 505), (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / FTP/1.1\r\n\r\n", 400), (b"GET x HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"G@T / HTTP/1.1\r\n" + host + b"\r\n", 400), (b"LONGMETHOD / HTTP/1.1\r\n" + host + b"\r\n", 501),
            (b"GET /%00 HTTP/1.1\r\n" + host + b"\r\n", 400), (b"GET /%zz HTTP/1.1\r\n" + host + b"\r\n", 400),
            (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n" + host + b"\r\n", 414),
            (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b"A : b\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b" folded\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b"A: b\x01\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b"X: y\nZ: w\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 100 + b"\r\n", 431),
            (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"y" * 20000, 431),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n", 400),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n", 413),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Content-Length: 3000000\r\n\r\n", 413),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\n", 411),
            (b"POST /v1/sessions HTTP/1.1\r\n" + host + b"Expect: magic\r\n\r\n", 417),
            (b"GET /?" + b"a=b&" * 20 + b" HTTP/1.1\r\n" + host + b"\r\n", 400),
        ]
        for data, status in cases:
            self.assertEqual(self.raw(data), status, data[:60])
        self.alive()

    def test_keep_alive_pipelined_and_continue(self):
        with self.server.tls() as s:
            s.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            data = b""
            while data.count(b'"ok"') < 3:
                data += s.recv(65536)
            self.assertEqual(data.count(b"200 OK"), 3)
            body = (SESSION % "cont").encode()
            s.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n"))
            s.sendall(body)
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 401 "))

    def test_long_connections_end_politely(self):
        c = http.client.HTTPSConnection("localhost", self.server.port, context=self.server.context(), timeout=20)
        told = []
        for _ in range(1005):
            c.request("GET", "/v1/health/live")
            r = c.getresponse()
            self.assertEqual(r.status, 200)
            r.read()
            told.append(r.getheader("Connection"))
        c.close()
        self.assertEqual([i for i, t in enumerate(told) if t == "close"], [999])

    def test_slow_clients_do_no_harm(self):
        idle = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(60)]
        drip = self.server.tls()
        drip.sendall(b"GET /v1/version HT")
        start = time.monotonic()
        self.alive()
        self.assertLess(time.monotonic() - start, 2)
        # Handshakes that never come are over after 5 seconds, a head that drips after 10 in all.
        answer = b""
        drip.settimeout(2)
        while not answer and time.monotonic() - start < 20:
            try:
                drip.sendall(b"T")
                answer = drip.recv(1000)
            except socket.timeout:
                pass
            except (ssl.SSLError, ConnectionError):
                break
        self.assertLess(time.monotonic() - start, 15)
        for s in idle:
            s.settimeout(1)
            self.assertEqual(s.recv(1), b"")
            s.close()
        drip.close()
        self.alive()

    def test_hostile_documents_over_http(self):
        bomb = 'name: b\nversion: "0.3"\nsecrets:\n  - &a0 [x,x,x,x,x,x,x,x,x,x]\n'
        for i in range(1, 9):
            bomb += f"  - &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]\n"
        for body in (bomb.encode(), b"[" * 100000, b"\xff\xfe" * 1000, b"", b"{" * 1000, b"a" * (1 << 20) + b"b"):
            status, r = self.server.ask("POST", "/v1/sessions", body, self.alice)
            self.assertEqual(status, 400)
            self.assertTrue(r["msg"])
        self.alive()

    def test_many_clients_at_once(self):
        ps = []
        script = ("import http.client,ssl,sys\n"
                  "c=ssl.create_default_context(cafile=sys.argv[1]); c.load_cert_chain(sys.argv[3])\n"
                  "h=http.client.HTTPSConnection('localhost',int(sys.argv[2]),context=c)\n"
                  "for i in range(10):\n"
                  "  h.request('POST','/v1/sessions',f'name: many-{sys.argv[4]}-{i}\\nversion: \"0.3\"\\n')\n"
                  "  r=h.getresponse(); r.read(); assert r.status==201, r.status\n")
        for i in range(8):
            ps.append(subprocess.Popen(["python3", "-c", script, self.server.cert, str(self.server.port),
                                        self.alice, str(i)]))
        self.assertEqual([p.wait(60) for p in ps], [0] * 8)
        status, r = self.server.ask("GET", "/v1/sessions", identity=self.alice)
        self.assertGreaterEqual(len([s for s in r["sessions"] if s["name"].startswith("many-")]), 80)

    def test_client_paths_are_literal(self):
        for path in ("/v1/sessions/..%2f..%2fetc", "/v1/sessions/%27%3B--", "/v1/sessions/" + urllib.parse.quote("ä")):
            self.assertEqual(self.server.ask("GET", path, identity=self.alice)[0], 404)


class CasClientTest(unittest.TestCase):
    """The verbs that ask CAS."""

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-cas-")
        cls.server = Server(os.path.join(cls.tmp.name, "cas"))
        cls.bob = make_identity(cls.tmp.name, "bob")
        cls.env = dict(os.environ, NACRE_CAS=f"localhost:{cls.server.port}", NACRE_CAS_PIN=cls.server.pin,
                       NACRE_STATE_DIR=os.path.join(cls.tmp.name, "state"))
        run(NACRE, "session", "list", env=cls.env)  # makes the identity

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.tmp.cleanup()

    def nacre(self, *args, code=0, **env):
        r = subprocess.run([NACRE, "session", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           check=False, timeout=60, env=dict(self.env, **env))
        self.assertEqual(r.returncode, code, r.stderr)
        return r

    def document(self, name, text):
        path = os.path.join(self.tmp.name, name.replace("/", "_") + ".yml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'name: {name}\nversion: "0.3"\n{text}')
        return path

    def test_life(self):
        secret = "secrets: [{name: pw, kind: ascii, value: hunter2}, {name: n, kind: ascii, value: $N, export_public: true}]\n"
        path = self.document("life", secret)
        hash1 = self.nacre("create", "-e", "N=42", path).stdout.strip()
        self.assertRegex(hash1, "^[0-9a-f]{64}$")
        self.assertIn("exists", self.nacre("create", "-e", "N=42", path, code=1).stderr)
        self.assertEqual(self.nacre("verify", "-e", "N=42", path).stdout.strip(), hash1)
        self.assertIn("another session", self.nacre("verify", "-e", "N=43", path, code=3).stderr)
        text = self.nacre("read", "life").stdout
        self.assertIn("value_withheld: true", text)
        self.assertNotIn("hunter2", text)
        self.assertEqual(self.nacre("values", "life", "n").stdout, "42\n")
        self.assertIn("no public value", self.nacre("values", "life", "pw", code=1).stderr)
        hash2 = self.nacre("update", "-e", "N=43", path).stdout.strip()
        self.assertNotEqual(hash1, hash2)
        self.assertEqual(self.nacre("values", "life", "n").stdout, "43\n")
        self.assertEqual(self.nacre("verify", "-e", "N=43", path).stdout.strip(), hash2)
        self.assertIn(f"predecessor: {hash1}", self.nacre("read", "life").stdout.replace('"', ""))
        self.assertNotIn("predecessor", self.nacre("read", "--hash", hash1, "life").stdout)
        stale = self.document("life", secret + f"predecessor: {hash1}\n")
        self.assertIn("has changed", self.nacre("update", "-e", "N=44", stale, code=1).stderr)
        self.assertIn(f"{hash2}  life\n", self.nacre("list").stdout)
        self.assertIn({"name": "life", "hash": hash2}, json.loads(self.nacre("list", "--json").stdout))
        self.nacre("delete", "life")
        self.nacre("read", "life", code=1)

    def test_dry_run_changes_nothing(self):
        path = self.document("dry", "")
        self.nacre("create", "--dry-run", path)
        self.nacre("read", "dry", code=1)

    def test_other_identity_refused(self):
        self.nacre("create", self.document("mine", ""))
        r = self.nacre("read", "--identity", self.bob, "mine", code=3)
        self.assertIn("does not have the right 'read'", r.stderr)
        self.nacre("update", "--identity", self.bob, self.document("mine", ""), code=3)
        self.nacre("delete", "--identity", self.bob, "mine", code=3)

    def test_list_in_pages(self):
        for i in range(105):
            status, _ = self.server.put(SESSION % f"page{i:03}", self.env["NACRE_STATE_DIR"] + "/client/identity.pem")
            self.assertEqual(status, 201)
        names = [line.split()[1] for line in self.nacre("list").stdout.splitlines()]
        self.assertEqual(names, [item["name"] for item in json.loads(self.nacre("list", "--json").stdout)])
        self.assertEqual([n for n in names if n.startswith("page")], [f"page{i:03}" for i in range(105)])

    def test_wrong_pin_refused_before_anything_is_sent(self):
        other = Server(os.path.join(self.tmp.name, "other"))
        try:
            r = self.nacre("create", self.document("leak", ""), code=3, NACRE_CAS=f"localhost:{other.port}")
            self.assertIn("another key than the one pinned", r.stderr)
            r = self.nacre("create", self.document("leak", ""), code=3, NACRE_CAS=f"localhost:{other.port}",
                           NACRE_CAS_CACERT=self.server.cert)
            self.assertEqual(other.ask("GET", "/v1/sessions/leak", identity=self.bob)[0], 404)
            self.assertIn(b"nacre_cas_sessions 0\n", other.ask("GET", "/metrics")[1])
        finally:
            other.stop()

    def test_cacert_instead_of_pin(self):
        env = {k: v for k, v in self.env.items() if k != "NACRE_CAS_PIN"}
        r = run(NACRE, "session", "list", "--cacert", self.server.cert, env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        r = run(NACRE, "session", "list", "--cacert", self.bob + ".crt", env=env)
        self.assertEqual(r.returncode, 3)
        r = run(NACRE, "session", "list", env=env)
        self.assertEqual(r.returncode, 1)
        self.assertIn("--pin", r.stderr)

    def test_usage_errors(self):
        for args in (["list", "--pin", "nonsense"], ["list", "--cas", "http://x"], ["list", "--cas", "a b"],
                     ["list", "--identity", "/nonexistent"], ["list", "--cas", "localhost:1"]):
            self.assertTrue(self.nacre(*args, code=1).stderr.startswith("nacre session: "))
        self.nacre("read", "--hash", "xyz", "a", code=2)
        self.nacre("frobnicate", code=2)
        self.assertEqual(os.stat(self.env["NACRE_STATE_DIR"] + "/client/identity.pem").st_mode & 0o777, 0o600)


class CasRestartTest(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="nacre-cas-")
        self.dir = os.path.join(self.tmp.name, "cas")
        self.alice = make_identity(self.tmp.name, "alice")

    def tearDown(self):
        self.tmp.cleanup()

    def test_restart_keeps_everything(self):
        s = Server(self.dir)
        pin = s.pin
        other = run(NACRE, "cas", "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", timeout=20)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another CAS serves from", other.stderr)
        self.assertEqual(s.put(SESSION % "a", self.alice)[0], 201)
        self.assertEqual(s.stop(), 0)
        s = Server(self.dir)
        self.assertEqual(s.pin, pin)
        self.assertEqual(s.put(SESSION % "b", self.alice)[0], 201)
        s.stop(signal.SIGKILL)
        s = Server(self.dir)
        for name in "ab":
            self.assertEqual(s.ask("GET", "/v1/sessions/" + name, identity=self.alice)[0], 200)
        self.assertEqual(s.stop(), 0)
        for name in ("master.key", "tls-key.pem", "cas.db", "audit.log"):
            self.assertEqual(os.stat(os.path.join(self.dir, name)).st_mode & 0o777, 0o600, name)
        self.assertEqual(os.stat(self.dir).st_mode & 0o777, 0o700)

    def test_audit_log_verifies_and_tampering_shows(self):
        s = Server(self.dir)
        s.put(SESSION % "a", self.alice)
        s.ask("GET", "/v1/sessions/a")
        status, head = s.ask("GET", "/v1/audit")
        self.assertEqual(status, 200)
        self.assertEqual(s.stop(), 0)
        log = os.path.join(self.dir, "audit.log")
        r = run(NACRE, "audit", "verify", "--json", "--expect", head["hash"], log)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(json.loads(r.stdout)["lines"], head["seq"] + 1)  # cas.stop came behind
        with open(log, encoding="utf-8") as f:
            text = f.read()
        self.assertIn('"event":"denied"', text)
        with open(log, "w", encoding="utf-8") as f:
            f.write(text.replace('"event":"denied"', '"event":"dented"'))
        r = run(NACRE, "audit", "verify", log)
        self.assertEqual(r.returncode, 3)
        self.assertIn("was changed", r.stderr)
        r = run(NACRE, "cas", "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", timeout=20)
        self.assertEqual(r.returncode, 1)

    def test_lost_master_key_said(self):
        s = Server(self.dir)
        s.stop()
        os.unlink(os.path.join(self.dir, "master.key"))
        r = run(NACRE, "cas", "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", timeout=20)
        self.assertEqual(r.returncode, 1)
        self.assertIn("no master.key", r.stderr)

    def test_limits_on_rate_and_connections(self):
        s = Server(self.dir, "--max-rate", "3", "--max-connections-per-peer", "4")
        statuses = [s.ask("GET", "/v1/health/live")[0] for _ in range(12)]
        self.assertEqual(statuses[:6], [200] * 6)
        self.assertIn(429, statuses)
        held = []
        refused = 0
        for _ in range(8):
            try:
                held.append(s.tls())
            except (ssl.SSLError, ConnectionError, OSError):
                refused += 1
        self.assertEqual((len(held), refused), (4, 4))
        for c in held:
            c.close()
        time.sleep(1.5)
        self.assertEqual(s.ask("GET", "/v1/health/live")[0], 200)
        self.assertEqual(s.stop(), 0)

    def test_usage_errors(self):
        for args, code in ((["--listen", "nowhere"], 1), (["--listen", "127.0.0.1:x"], 1), (["--max-rate", "x"], 2)):
            r = run(NACRE, "cas", "serve", "--dir", self.dir, *args, timeout=20)
            self.assertEqual(r.returncode, code, args)
            self.assertTrue(r.stderr.startswith("nacre cas: "))


if __name__ == "__main__":
    unittest.main()
