#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sessions that several people must agree to change: signatures over requests."""
import base64
import hashlib
import http.client
import json
import os
import subprocess
import tempfile
import time
import unittest

from test_cas import NACRE, Server, make_identity, public_der


class Signatures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-sign-")
        cls.who = {"alice": make_identity(cls.tmp.name, "alice"), "bob": make_identity(cls.tmp.name, "bob", "ed25519"),
                   "carol": make_identity(cls.tmp.name, "carol", "rsa:2048"), "eve": make_identity(cls.tmp.name, "eve")}
        cls.server = Server(os.path.join(cls.tmp.name, "cas"))
        cls.key = hashlib.sha256(public_der(cls.server.cert)).digest()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.tmp.cleanup()
        assert code == 0

    def public(self, name):
        return subprocess.run(["openssl", "x509", "-in", self.who[name], "-noout", "-pubkey"], capture_output=True, text=True, check=True).stdout

    def nacre(self, *args, who="alice"):
        env = dict(os.environ, NACRE_STATE_DIR=os.path.join(self.tmp.name, "state"), NACRE_CAS=f"127.0.0.1:{self.server.port}",
                   NACRE_CAS_PIN=self.server.pin, NACRE_IDENTITY=self.who[who])
        return subprocess.run([NACRE, "session", *args], capture_output=True, text=True, env=env, timeout=60, check=False)

    def document(self, name, rule, **more):
        path = os.path.join(self.tmp.name, name + ".yml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"name": name, "version": "0.3", "access_policy": {"read": ["ANY"], "update": [rule]}, **more}, f)
        return path

    def board(self, name, rule_key="require-at-least-2", **more):
        return self.document(name, {rule_key: [{"signer": self.public(n)} for n in ("alice", "bob", "carol")]}, **more)

    def last(self):
        with open(os.path.join(self.server.folder, "audit.log"), encoding="utf-8") as f:
            return json.loads(f.read().splitlines()[-1])

    def signature(self, who, *args):
        r = self.nacre("sign", *args, who=who)
        self.assertEqual(r.returncode, 0, r.stderr)
        out = os.path.join(self.tmp.name, os.path.basename(args[-1]) + "." + who)
        with open(out, "w", encoding="ascii") as f:
            f.write(r.stdout)
        return out

    def test_two_of_three(self):
        path = self.board("board")
        r = self.nacre("create", path)
        self.assertEqual(r.returncode, 0, r.stderr)
        path = self.board("board", secrets=[{"name": "x", "kind": "ascii"}])
        for args in ((), ("--co-sign", self.who["alice"]), ("--co-sign", self.who["alice"], "--co-sign", self.who["alice"]),
                     ("--co-sign", self.who["alice"], "--co-sign", self.who["eve"])):
            r = self.nacre("update", *args, path)
            self.assertEqual(r.returncode, 3, args)
            self.assertEqual((self.last()["event"], self.last()["what"]), ("denied", "update"))
        # Who sends it does not matter: agreement does.
        r = self.nacre("update", "--co-sign", self.who["alice"], "--co-sign", self.who["bob"], path, who="eve")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual((self.last()["event"], len(self.last()["signers"])), ("session.update", 3))

    def test_signatures_made_elsewhere(self):
        path = self.board("apart", "require-all")
        self.assertEqual(self.nacre("create", path).returncode, 0)
        path = self.board("apart", "require-all", secrets=[{"name": "x", "kind": "ascii"}])
        signs = [self.signature(n, path) for n in ("alice", "bob", "carol")]
        args = [a for s in signs for a in ("--co-sign", s)]
        self.assertEqual(self.nacre("update", *args[:4], path).returncode, 3)
        changed = self.board("apart", "require-all", secrets=[{"name": "y", "kind": "ascii"}])
        r = self.nacre("update", *args, changed)
        self.assertEqual(r.returncode, 3)
        self.assertIn("not over this request", r.stderr)
        self.assertEqual(self.last()["what"], "signature")
        path = self.board("apart", "require-all", secrets=[{"name": "x", "kind": "ascii"}])
        r = self.nacre("update", *args, path)
        self.assertEqual(r.returncode, 0, r.stderr)
        # The same agreement does not serve twice: it was for one successor of one version.
        self.assertEqual(self.nacre("update", *args, path).returncode, 3)

    def test_deleting_wants_agreement_too(self):
        path = self.board("gone")
        self.assertEqual(self.nacre("create", path).returncode, 0)
        self.assertEqual(self.nacre("delete", "gone").returncode, 3)
        alice, bob = (self.signature(n, "--delete", "gone") for n in ("alice", "bob"))
        self.assertEqual(self.nacre("delete", "--co-sign", alice, "gone").returncode, 3)
        # Agreement to an update is none to the deletion, nor the other way round.
        successor = self.board("gone", secrets=[{"name": "x", "kind": "ascii"}])
        r = self.nacre("delete", "--co-sign", alice, "--co-sign", self.signature("bob", successor), "gone")
        self.assertEqual(r.returncode, 3)
        self.assertIn("not over this request", r.stderr)
        self.assertEqual(self.nacre("update", "--co-sign", alice, "--co-sign", bob, successor).returncode, 3)
        # It was for the version of then.
        r = self.nacre("update", "--co-sign", self.who["alice"], "--co-sign", self.who["bob"], successor)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(self.nacre("delete", "--co-sign", alice, "--co-sign", bob, "gone").returncode, 3)
        alice, bob = (self.signature(n, "--delete", "gone") for n in ("alice", "bob"))
        for args in (("--hash", "12", "gone"), ("gone", "more")):
            r = self.nacre("delete", "--co-sign", alice, *args)
            self.assertEqual(r.returncode, 2, r.stderr)
        r = self.nacre("delete", "--hash", "11" * 32, "--co-sign", self.who["alice"], "--co-sign", self.who["bob"], "gone")
        self.assertEqual(r.returncode, 1, r.stderr)
        r = self.nacre("delete", "--co-sign", alice, "--co-sign", bob, "gone", who="eve")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual((self.last()["event"], len(self.last()["signers"])), ("session.delete", 3))
        self.assertEqual(self.nacre("read", "gone").returncode, 1)

    # ---- by hand --------------------------------------------------------------------------------

    def header(self, who, body, key=None, method="POST", path="/v1/sessions", until=None, label=b"nacre request v1\0", query=b""):
        until = int(time.time()) + 300 if until is None else until
        message = label + (key or self.key) + until.to_bytes(8, "little") + method.encode() + b"\0" + path.encode() + b"\0" + query + hashlib.sha256(body).digest()
        file = os.path.join(self.tmp.name, "message")
        with open(file, "wb") as f:
            f.write(message)
        if who == "bob":
            sig = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.who[who], "-in", file], capture_output=True, check=True).stdout
        else:
            sig = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.who[who], file], capture_output=True, check=True).stdout
        return f"{until} {base64.b64encode(public_der(self.who[who])).decode()} {base64.b64encode(sig).decode()}"

    def post(self, body, *headers):
        c = http.client.HTTPSConnection("localhost", self.server.port, context=self.server.context(self.who["eve"]), timeout=20)
        c.putrequest("POST", "/v1/sessions")
        for h in headers:
            c.putheader("Nacre-Signature", h)
        c.putheader("Content-Length", str(len(body)))
        c.endheaders(body)
        r = c.getresponse()
        data = json.loads(r.read())
        c.close()
        return r.status, data

    def test_the_format_is_the_one_described(self):
        with open(self.board("hand"), encoding="utf-8") as f:
            doc = json.load(f)
        status, r = self.post(json.dumps(doc).encode())
        self.assertEqual(status, 201, r)
        body = json.dumps({**doc, "predecessor": r["hash"]}).encode()
        self.assertEqual(self.post(body)[0], 403)
        good = [self.header(n, body) for n in ("alice", "bob", "carol")]
        now = int(time.time())
        cases = [(self.header("alice", body + b" "), 403), (self.header("alice", body, key=bytes(32)), 403), (self.header("alice", body, method="DELETE"), 403),
                 (self.header("alice", body, path="/v1/sessions/x"), 403), (self.header("alice", body, label=b"nacre request v2\0"), 403),
                 (self.header("alice", body, until=now - 5), 403), (self.header("alice", body, until=now + 40 * 86400), 403),
                 (good[0].replace(" ", "  ", 1), 400), (good[0][:-8] + "AAAAAAA=", 403), (good[0] + "A", 400), ("", 400), ("1 2 3", 400), ("-1 AAAA AAAA", 400),
                 (" ".join([good[0].split()[0], good[1].split()[1], good[0].split()[2]]), 403),
                 (" ".join([str(int(good[0].split()[0]) + 1), *good[0].split()[1:]]), 403)]
        for header, want in cases:
            status, r = self.post(body, good[1], header)
            self.assertEqual(status, want, (header[:60], r))
            self.assertEqual(self.last()["event"], "denied")
        self.assertEqual(self.post(body, *good, *good, *good)[0], 431)
        self.assertEqual(self.post(body, good[1], good[2])[0], 200)

    def delete(self, target, header):
        c = http.client.HTTPSConnection("localhost", self.server.port, context=self.server.context(self.who["eve"]), timeout=20)
        c.request("DELETE", target, headers={"Nacre-Signature": header})
        r = c.getresponse()
        r.read()
        c.close()
        return r.status

    def test_the_query_is_signed_too(self):
        name = "query"
        with open(self.document(name, {"signer": self.public("alice")}), encoding="utf-8") as f:
            doc = json.load(f)
        status, r = self.post(json.dumps(doc).encode())
        self.assertEqual(status, 201, r)
        first, path = r["hash"], f"/v1/sessions/{name}"
        body = json.dumps({**doc, "predecessor": first}).encode()
        status, r = self.post(body, self.header("alice", body))
        self.assertEqual(status, 200, r)
        second = r["hash"]

        def signed(*params, v=b"2", count=None):
            query = b"".join(n.encode() + b"\0" + t.encode() + b"\0" for n, t in params)
            query = bytes([len(params) if count is None else count]) + query if v == b"2" else query
            return self.header("alice", b"", method="DELETE", path=path, label=b"nacre request v" + v + b"\0", query=query)
        target = f"{path}?hash={second}"
        for header in (signed(v=b"1"),                                   # as for a request without a query
                       signed(("hash", first)),                          # agreement to delete the other version
                       signed(("hash", second), ("hash", second)), signed(("hash", second), count=2), signed(("hash", second), v=b"1"),
                       signed(("Hash", second)), signed()):
            self.assertEqual(self.delete(target, header), 403)
            self.assertEqual((self.last()["event"], self.last()["what"]), ("denied", "signature"))
        good = signed(("hash", second))
        # Neither taken away, changed nor added to.
        for other in (path, f"{path}?hash={first}", f"{target}&x=1", f"{path}?x=1&hash={second}"):
            self.assertEqual(self.delete(other, good), 403, other)
        # What was agreed to, but is not so any more: not refused as a signature.
        self.assertEqual(self.delete(f"{path}?hash={first}", signed(("hash", first))), 409)
        self.assertEqual(self.delete(f"{path}?%68ash={second}", good), 200)

    def test_without_a_query_as_ever(self):
        with open(self.document("noquery", {"signer": self.public("alice")}), encoding="utf-8") as f:
            self.assertEqual(self.post(f.read().encode())[0], 201)
        path = "/v1/sessions/noquery"
        self.assertEqual(self.delete(path, self.header("alice", b"", method="DELETE", path=path, label=b"nacre request v2\0", query=b"\0")), 403)
        self.assertEqual(self.delete(path, self.header("alice", b"", method="DELETE", path=path)), 200)


if __name__ == "__main__":
    unittest.main()
