#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`nacre cas backup` and `restore`: the same CAS again, for whoever holds passphrase or key, and for nobody else."""
import json
import os
import tempfile
import threading
import unittest

from test_cas import NACRE, Server, make_identity, run

PASS = "correct horse battery"
SESSION = ('name: kept-%s\nversion: "0.3"\naccess_policy: {read_secrets: [CREATOR]}\n'
           'secrets: [{name: pw, kind: ascii}, {name: key, kind: private-key}]\n')


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tmp = tempfile.TemporaryDirectory(prefix="nacre-backup-")
        cls.alice = make_identity(cls.tmp.name, "alice")
        cls.dir = cls.path("cas")
        for name, text in (("pass", PASS), ("wrong", "another passphrase"), ("short", "short")):
            with open(cls.path(name), "w", encoding="ascii") as f:
                f.write(text + "\n")
            os.chmod(cls.path(name), 0o600)
        for name, curve in (("holder", "P-256"), ("other", "P-256"), ("large", "P-384")):
            r = run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve, "-out", cls.path(name + ".pem"))
            assert r.returncode == 0, r.stderr
            os.chmod(cls.path(name + ".pem"), 0o600)
            assert run("openssl", "pkey", "-in", cls.path(name + ".pem"), "-pubout", "-out", cls.path(name + ".pub")).returncode == 0
        cls.server = Server(cls.dir)
        for i in range(3):
            status, r = cls.server.put(SESSION % i, cls.alice)
            assert status == 201, r
        status, r = cls.server.put(json.dumps({"name": "large", "version": "0.3", "images": [
            {"name": "i", "injection_files": [{"path": "/f", "content": "x" * 100000}]}]}), cls.alice)
        assert status == 201, r
        cls.values = cls.all_values(cls.server)
        cls.file = cls.path("a.bak")
        r = run(NACRE, "cas", "backup", "--dir", cls.dir, "--passphrase-file", cls.path("pass"), cls.file)
        assert r.returncode == 0, r.stderr

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.tmp.cleanup()
        assert code == 0

    @classmethod
    def path(cls, name):
        return os.path.join(cls.tmp.name, name)

    @classmethod
    def all_values(cls, server):
        return [server.ask("GET", f"/v1/values/session=kept-{i}", identity=cls.alice) for i in range(3)]

    def restore(self, name, *args, file=None):
        return run(NACRE, "cas", "restore", "--dir", self.path(name), *args, file or self.file)

    def check_same(self, name):
        s = Server(self.path(name))
        try:
            self.assertEqual(s.pin, self.server.pin)
            self.assertEqual(self.all_values(s), self.values)
            self.assertEqual(s.put(SESSION % "new", self.alice)[0], 201)
        finally:
            self.assertEqual(s.stop(), 0)
        r = run(NACRE, "audit", "verify", os.path.join(self.path(name), "audit.log"))
        self.assertEqual(r.returncode, 0, r.stderr)
        with open(os.path.join(self.path(name), "audit.log"), encoding="utf-8") as f:
            events = [json.loads(line)["event"] for line in f]
        self.assertIn("cas.restored", events)
        self.assertEqual(events.count("session.create"), 5)

    def test_passphrase(self):
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        r = self.restore("by-pass", "--passphrase-file", self.path("pass"))
        self.assertEqual((r.returncode, r.stdout), (0, self.path("by-pass") + "\n"), r.stderr)
        self.check_same("by-pass")

    def test_second_holder(self):
        f = self.path("held.bak")
        self.assertEqual(run(NACRE, "cas", "backup", "--dir", self.dir, "--holder", self.path("holder.pub"), f).returncode, 0)
        for args, words in ((("--key", self.path("other.pem")), "another key"), (("--passphrase-file", self.path("pass")), "--key")):
            r = self.restore("never", *args, file=f)
            self.assertIn(r.returncode, (1, 3))
            self.assertIn(words, r.stderr)
            self.assertFalse(os.path.exists(self.path("never")))
        r = self.restore("by-key", "--key", self.path("holder.pem"), file=f)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check_same("by-key")

    def test_wrong_passphrase_and_bad_ones(self):
        r = self.restore("never", "--passphrase-file", self.path("wrong"))
        self.assertEqual(r.returncode, 3, r.stderr)
        self.assertIn("another passphrase", r.stderr)
        r = run(NACRE, "cas", "backup", "--dir", self.dir, "--passphrase-file", self.path("short"), self.path("s.bak"))
        self.assertEqual(r.returncode, 1)
        self.assertIn("12 characters", r.stderr)
        self.assertFalse(os.path.exists(self.path("s.bak")))
        r = run(NACRE, "cas", "backup", "--dir", self.dir, "--holder", self.path("large.pub"), self.path("s.bak"))
        self.assertIn("P-256", r.stderr)
        r = run(NACRE, "cas", "backup", "--dir", self.dir, self.path("s.bak"))
        self.assertEqual(r.returncode, 2)
        r = run(NACRE, "cas", "backup", "--dir", self.dir, "--passphrase-file", self.path("pass"), self.file)
        self.assertEqual(r.returncode, 1)
        r = run(NACRE, "cas", "backup", "--dir", self.path("nothing"), "--passphrase-file", self.path("pass"), self.path("s.bak"))
        self.assertIn("there is no CAS", r.stderr)
        self.assertFalse(os.path.exists(self.path("nothing")))

    def test_only_into_an_empty_directory(self):
        os.mkdir(self.path("empty"))
        self.assertEqual(self.restore("empty", "--passphrase-file", self.path("pass")).returncode, 0)
        r = self.restore("empty", "--passphrase-file", self.path("pass"))
        self.assertEqual(r.returncode, 1)
        self.assertIn("not empty", r.stderr)

    def test_nothing_secret_lies_open(self):
        with open(self.file, "rb") as f:
            data = f.read()
        for word in (b"kept-", b"SQLite format", b"PRIVATE KEY", b"session.create"):
            self.assertNotIn(word, data)
        with open(os.path.join(self.dir, "master.key"), "rb") as f:
            self.assertNotIn(f.read(), data)

    def test_every_change_is_noticed(self):
        f = self.path("held2.bak")
        self.assertEqual(run(NACRE, "cas", "backup", "--dir", self.dir, "--holder", self.path("holder.pub"), f).returncode, 0)
        with open(f, "rb") as h:
            data = h.read()
        first = 4 + int.from_bytes(data[128:132], "little") + 16
        changes = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1:] for i in
                   [*range(0, 128, 5), 128, 131, 132, 200, 128 + first - 1, 128 + first, len(data) // 2, len(data) - 17, len(data) - 1]]
        changes += [data[:-1], data[:128], data[:100], b"", data + b"\0", data[:128] + data[128 + first:], data[:128 + first]]
        bad = self.path("bad.bak")
        for i, changed in enumerate(changes):
            with open(bad, "wb") as h:
                h.write(changed)
            r = self.restore("never", "--key", self.path("holder.pem"), file=bad)
            self.assertIn(r.returncode, (1, 3), f"change {i}")
            self.assertFalse(os.path.exists(self.path("never")))
        self.assertEqual([n for n in os.listdir(self.tmp.name) if n.startswith("never")], [])

    def test_cost_of_a_foreign_file_is_bounded(self):
        with open(self.file, "rb") as f:
            data = bytearray(f.read())
        for at, value in ((16 + 32, 30), (16 + 36, 1000), (16 + 40, 1000), (16 + 32, 1)):
            changed = bytearray(data)
            changed[at:at + 4] = value.to_bytes(4, "little")
            with open(self.path("dear.bak"), "wb") as f:
                f.write(changed)
            r = self.restore("never", "--passphrase-file", self.path("pass"), file=self.path("dear.bak"))
            self.assertEqual(r.returncode, 1)
            self.assertIn("unreasonable", r.stderr)

    def test_while_sessions_are_written(self):
        stop = threading.Event()

        def write():
            n = 0
            while not stop.is_set():
                self.server.put(f'name: busy-{n}\nversion: "0.3"\n', self.alice)
                n += 1

        t = threading.Thread(target=write)
        t.start()
        try:
            for i in range(3):
                f = self.path(f"busy{i}.bak")
                r = run(NACRE, "cas", "backup", "--dir", self.dir, "--holder", self.path("holder.pub"), f)
                self.assertEqual(r.returncode, 0, r.stderr)
        finally:
            stop.set()
            t.join()
        self.assertEqual([n for n in os.listdir(self.dir) if n.startswith(".snapshot")], [])
        r = self.restore("busy", "--key", self.path("holder.pem"), file=self.path("busy2.bak"))
        self.assertEqual(r.returncode, 0, r.stderr)
        r = run(NACRE, "audit", "verify", os.path.join(self.path("busy"), "audit.log"))
        self.assertEqual(r.returncode, 0, r.stderr)
        s = Server(self.path("busy"))
        self.assertEqual(self.all_values(s), self.values)
        # Every session of the snapshot is in the log, which was read after it.
        names = [x["name"] for x in s.ask("GET", "/v1/sessions", identity=self.alice)[1]["sessions"]]
        s.stop()
        with open(os.path.join(self.path("busy"), "audit.log"), encoding="utf-8") as f:
            made = {json.loads(line).get("session") for line in f}
        self.assertEqual(set(names) - made, set())


if __name__ == "__main__":
    unittest.main()
