#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A CAS that runs in an enclave, in developer mode and as a converted image: its evidence is genuine, bound to its TLS key and
to the nonce, and nobody else's."""
import base64
import hashlib
import http.client
import http.server
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
import unittest

import oci_build
from convert_util import small_layer
from test_cas import NACRE, Server, make_identity, run
from test_convert_partial import libraries, read

LIFE = "120"  # seconds; nothing here takes as long
OPTIONS = ("--quiet", "--memory", str(2 << 30))


class Relay(http.server.ThreadingHTTPServer):
    """Ends TLS with a key of its own and asks the real CAS for everything."""

    def __init__(self, identity, port, twist):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, data = ask(port, self.path)
                data = json.dumps(twist(relay, data)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.key = key_of(ssl.PEM_cert_to_DER_cert(open_text(identity + ".crt")))
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def end(self):
        self.shutdown()
        self.server_close()
        self.thread.join(10)


def open_text(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def key_of(der):
    """SHA-256 of the SubjectPublicKeyInfo: what is pinned."""
    pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"], input=der, capture_output=True, check=True).stdout
    return hashlib.sha256(subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout).digest()


def ask(port, path):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=30)
    try:
        c.request("GET", path)
        seen = key_of(c.sock.getpeercert(binary_form=True))
        r = c.getresponse()
        data = json.loads(r.read())
    finally:
        c.close()
    if path.startswith("/v1/attest"):
        data["seen"] = seen.hex()
    return r.status, data


class Inside(unittest.TestCase):
    """In developer mode: a debuggable enclave, with the host's files."""
    debug = ("--allow-debug",)

    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-inside-")
        cls.env = {k: v for k, v in os.environ.items() if not k.startswith("NACRE_CAS")}
        cls.env["NACRE_STATE_DIR"] = os.path.join(cls.tmp.name, "state")
        cls.process = subprocess.Popen(["timeout", "-k", "1", LIFE, *cls.command()], env=cls.env, stderr=subprocess.PIPE, text=True)
        cls.hello = ""
        while "--cacert" not in cls.hello:
            line = cls.process.stderr.readline()
            if not line:
                cls.process.wait(10)
                raise AssertionError("it did not start: " + cls.hello)
            cls.hello += line
        cls.port = int(re.search(r"HTTPS on 127\.0\.0\.1:(\d+)", cls.hello).group(1))
        cls.pin = re.search(r"key to pin: (\S+)", cls.hello).group(1)

    @classmethod
    def command(cls):
        """What starts the CAS; finds out cls.mrenclave."""
        # From another program in the same enclave: not from the CAS itself.
        r = subprocess.run(["timeout", "-k", "1", LIFE, NACRE, "exec", *OPTIONS, "--", "/bin/cat", "/dev/attestation/report"],
                           env=cls.env, capture_output=True, check=False, timeout=150)
        assert r.returncode == 0 and len(r.stdout) == 432, (r.returncode, r.stderr)
        cls.mrenclave = r.stdout[64:96].hex()
        return [NACRE, "exec", *OPTIONS, "--", NACRE, "cas", "serve", "--dir", "/tmp/cas", "--listen", "127.0.0.1:0",
                "--provision-listen", "off"]

    @classmethod
    def tearDownClass(cls):
        cls.process.terminate()
        code = cls.process.wait(30)
        cls.process.stderr.close()
        cls.tmp.cleanup()
        assert code == 0, code  # SIGTERM reached the CAS inside

    def attest(self, port, *args):
        return run(NACRE, "cas", "attest", f"127.0.0.1:{port}", "--software-root", "local", *self.debug, "--no-store", *args, env=self.env, timeout=60)

    def test_it_says_where_it_runs(self):
        self.assertIn("runs in a TEE", self.hello)
        self.assertFalse(os.path.exists("/tmp/cas/master.key"), "the enclave's /tmp is its own")

    def test_trusted_by_evidence(self):
        r = self.attest(self.port, "--mrenclave", self.mrenclave, "--json")
        self.assertEqual(r.returncode, 0, r.stderr + r.stdout)
        j = json.loads(r.stdout)
        self.assertEqual((j["trusted_by"], j["verified"], j["type"], j["claims"]["mrenclave"], j["key"]),
                         ("evidence", True, "sgx-dcap", self.mrenclave, self.pin))

    def test_another_enclave(self):
        other = self.mrenclave[:-1] + ("0" if self.mrenclave[-1] != "0" else "1")
        for args in (("--mrenclave", other), ("--mrenclave", self.mrenclave, "--mrsigner", other), ("--mrenclave", other, "--pin", self.pin)):
            r = self.attest(self.port, *args)
            self.assertEqual(r.returncode, 3, r.stdout)
            self.assertIn("another enclave", r.stdout)

    def test_bound_to_key_and_nonce(self):
        quotes = []
        for nonce in ("ab" * 32, "cd" * 32):
            status, j = ask(self.port, f"/v1/attest?nonce={nonce}")
            self.assertEqual((status, j["nonce"], j["key"]), (200, nonce, j["seen"]))
            quote = base64.b64decode(j["quote"])
            want = hashlib.sha512(b"nacre cas attestation v1\0" + bytes.fromhex(j["seen"]) + bytes.fromhex(nonce)).digest()
            self.assertEqual((quote[368:432], quote[112:144].hex()), (want, self.mrenclave))
            quotes.append(quote)
        self.assertNotEqual(*quotes)

    def test_another_tls_key(self):
        """Somebody before it who ends TLS cannot show its evidence as his own, with whatever key he claims."""
        old = ask(self.port, "/v1/attest?nonce=" + "ef" * 32)[1]["quote"]

        def flipped(data):
            quote = bytearray(base64.b64decode(data["quote"]))
            quote[112] ^= 1
            return {**data, "quote": base64.b64encode(quote).decode()}
        twists = {"as it is": lambda relay, data: data, "his key": lambda relay, data: {**data, "key": relay.key.hex()},
                  "an old quote": lambda relay, data: {**data, "key": relay.key.hex(), "quote": old},
                  "changed": lambda relay, data: flipped({**data, "key": relay.key.hex()})}
        identity = make_identity(self.tmp.name, "relay")
        for name, twist in twists.items():
            with self.subTest(name):
                relay = Relay(identity, self.port, twist)
                try:
                    r = self.attest(relay.server_address[1], "--mrenclave", self.mrenclave)
                finally:
                    relay.end()
                self.assertEqual(r.returncode, 3, r.stdout + r.stderr)
                self.assertNotIn("by evidence", r.stdout)
                self.assertIn("not signed" if name == "changed" else "not made for this TLS key and nonce", r.stdout)

    def test_the_root_must_be_named(self):
        r = run(NACRE, "cas", "attest", f"127.0.0.1:{self.port}", "--mrenclave", self.mrenclave, *self.debug, "--no-store", env=self.env, timeout=60)
        self.assertEqual(r.returncode, 3, r.stdout)
        self.assertIn("does not verify", r.stdout)


class Converted(Inside):
    """As a sealed image whose key another CAS gives it. It keeps everything in the enclave's memory, and serves."""
    debug = ()

    @classmethod
    def nacre(cls, *args):
        return subprocess.run([NACRE, *args], env=cls.env, capture_output=True, text=True, check=False, timeout=150)

    @classmethod
    def image(cls, name, layer):
        oci_build.make(os.path.join(cls.tmp.name, name), [layer.bytes()])
        return "oci:" + os.path.join(cls.tmp.name, name)

    @classmethod
    def cas_layer(cls, root):
        libs, interpreter = libraries(NACRE)
        layer = oci_build.Layer()
        for d in ("usr", "usr/bin", "lib64", "etc", "etc/root", "srv", "tmp", "proc", "dev"):
            layer.dir(d)
        layer.add("usr/bin/nacre", data=read(NACRE), mode=0o755)
        for name, path in {interpreter.lstrip("/"): interpreter, **{"lib64/" + n: p for n, p in libs.items()}}.items():
            layer.add(name, data=read(path), mode=0o755)
        for name in os.listdir(root):
            layer.add("etc/root/" + name, data=read(os.path.join(root, name)))
        return layer

    @classmethod
    def command(cls):
        root = os.path.join(cls.tmp.name, "root")
        assert cls.nacre("softsgx", "root", "--export", root).returncode == 0
        cls.outer = Server(os.path.join(cls.tmp.name, "outer"), "--provision-listen", "127.0.0.1:0", "--software-root", root)
        cls.addClassCleanup(cls.outer.stop)
        door = re.search(r"provisioning on (\S+)", cls.outer.hello).group(1)
        sealed = "oci:" + os.path.join(cls.tmp.name, "sealed")
        r = cls.nacre("convert", "--from", cls.image("plain", cls.cas_layer(root)), "--to", sealed, "--cas",
                      f"127.0.0.1:{cls.outer.port}", "--cas-pin", cls.outer.pin, "--run-cas", door, "--allow-softsgx", "--json",
                      "--env", "LD_LIBRARY_PATH=/lib64", "--command", "/usr/bin/nacre cas serve --dir /srv/cas --listen 127.0.0.1:0 "
                      "--provision-listen 127.0.0.1:0 --software-root /etc/root")
        assert r.returncode == 0, r.stderr
        cls.mrenclave = json.loads(r.stdout)["mrenclave"]
        return [NACRE, "run", sealed]

    def test_what_it_is_trusted_for(self):
        """Its key comes from its evidence alone; then it keeps a session and gives it to an enclave."""
        where = f"127.0.0.1:{self.port}"
        r = run(NACRE, "cas", "attest", where, "--software-root", "local", "--mrenclave", self.mrenclave, "--json",
                env=self.env, timeout=60)
        self.assertEqual(r.returncode, 0, r.stderr)
        key = json.loads(r.stdout)["key"]
        door = re.search(r"provisioning on (\S+)", self.hello).group(1)
        sealed = "oci:" + os.path.join(self.tmp.name, "app")
        r = self.nacre("convert", "--from", self.image("busybox", small_layer()), "--to", sealed, "--cas", where, "--cas-pin", key,
                       "--run-cas", door, "--allow-softsgx", "--command", "/bin/echo provisioned by an enclave")
        self.assertEqual(r.returncode, 0, r.stderr)
        r = self.nacre("run", sealed)
        self.assertEqual((r.returncode, r.stdout), (0, "provisioned by an enclave\n"), r.stderr)
        r = self.nacre("session", "list", "--cas", where)
        self.assertIn(" NS-", r.stdout, r.stderr)


if __name__ == "__main__":
    unittest.main()
