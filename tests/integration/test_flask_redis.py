#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The second form of the example: two confidential containers, the service and Debian's redis, that know
each other by certificates which one session makes and exports and the other imports. And its twins: a
client without such a certificate, and a service whose session imports nothing."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLASK = os.path.join(ROOT, "examples", "flask")
NACRE = os.environ["NACRE"]
NATIVE = os.environ["NACRE_FLASK_IMAGE"]  # made once, in the build directory
REDIS = os.path.join(os.path.dirname(NATIVE), "native_redis_image")


def listens(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class TwoContainers(unittest.TestCase):
    def setUp(self):
        for port in (4996, 6379):
            if listens(port):
                self.skipTest(f"something listens on port {port} of this machine")
        for image, script in ((NATIVE, "make-native-image"), (REDIS, "make-redis-image")):
            if not os.path.isdir(image):
                os.makedirs(os.path.dirname(image), exist_ok=True)
                subprocess.run([os.path.join(FLASK, script), image], check=True,
                               stdout=subprocess.DEVNULL)
        self.dir = tempfile.mkdtemp(prefix="nacre-flask-redis-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.env = {**os.environ, "NACRE_STATE_DIR": os.path.join(self.dir, "state")}
        self.api, self.door = free_port(), free_port()
        self.background("cas", "cas", "serve", "--dir", "cas", "--name", "localhost",
                        "--software-root", "local", "--listen", f"127.0.0.1:{self.api}",
                        "--provision-listen", f"127.0.0.1:{self.door}")
        line = self.wait_for("cas", "key to pin: ")
        self.env["NACRE_CAS_PIN"] = line.split("key to pin: ")[1].split()[0]
        self.nacre("cas", "attest", f"localhost:{self.api}")

    def log(self, name):
        with open(os.path.join(self.dir, name + ".log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def background(self, name, *words):
        with open(os.path.join(self.dir, name + ".log"), "wb") as out:
            p = subprocess.Popen([NACRE, *words], cwd=self.dir, env=self.env, stdout=out,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        self.addCleanup(self.end, p)
        return p

    @staticmethod
    def end(p):
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if p.poll() is None:
                p.send_signal(sig)
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    pass

    def wait_for(self, name, words, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in self.log(name).splitlines():
                if words in line:
                    return line
            time.sleep(0.1)
        self.fail(f"{name} does not say {words!r}:\n" + self.log(name))

    def nacre(self, *words, env=None):
        r = subprocess.run([NACRE, *words], cwd=self.dir, env={**self.env, **(env or {})}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=120)
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        return r.stdout

    def convert(self, name, image, pieces, *more):
        env = {}
        for variable, kind in (("SECRETS", "secrets"), ("INJECTED_FILES", "injected-files")):
            with open(os.path.join(FLASK, pieces.format(kind)), encoding="utf-8") as f:
                env[variable] = f.read()
        out = self.nacre("convert", "--namespace=clinic", "--create-namespace", "--name", name,
                         "--from", "oci:" + image, "--to", "oci:" + name,
                         "--cas", f"localhost:{self.api}", "--allow-softsgx", *more, env=env)
        self.assertEqual(out, f"clinic/{name}\n")

    def start(self, name):
        return self.background(name, "run", "oci:" + name, "--cas", f"localhost:{self.door}")

    def ask(self, method, path, data=None):
        """curl with the CA from CAS; what it prints as JSON."""
        ca = os.path.join(self.dir, "ca.pem")
        with open(ca, "w", encoding="ascii") as f:
            f.write(self.nacre("session", "values", "--cas", f"localhost:{self.api}", "clinic/flask",
                               "api_ca_cert"))
        words = ["curl", "-sS", "--cacert", ca, "--resolve", "api:4996:127.0.0.1", "-X", method]
        r = subprocess.run(words + (["-d", data] if data else []) + ["https://api:4996" + path],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(r.returncode, 0, r.stderr + self.log("flask"))
        return json.loads(r.stdout)

    def test_service_and_store_know_each_other(self):
        self.convert("redis", REDIS, "redis/redis-{}.yml")
        self.convert("flask", NATIVE, "redis/flask-{}.yml", "--env", "REDIS_HOST=localhost")
        self.start("redis")
        self.wait_for("redis", "Ready to accept connections")
        service = self.start("flask")
        self.wait_for("flask", "Running on https")
        made = self.ask("POST", "/patient/p7", "fname=Jane&ssn=123-223-2345")
        self.assertEqual(made["fname"], "Jane")
        self.assertEqual(self.ask("POST", "/patient/p7", "fname=Jane"), {"error": "already exists"})
        # The store outlives the service.
        self.end(service)
        self.start("flask")
        self.wait_for("flask", "Running on https")
        self.assertEqual(self.ask("GET", "/patient/p7"), made)
        # Whoever has no certificate of the session's CA gets nowhere.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            with socket.create_connection(("127.0.0.1", 6379), 10) as raw:
                with context.wrap_socket(raw) as tls:
                    tls.sendall(b"GET patient:p7\r\n")
                    if tls.recv(100) == b"":
                        raise ConnectionError("closed")

    def redis(self, port, *words):
        """One command to a redis without TLS, and its answer: a line, or the text behind its length."""
        with socket.create_connection(("127.0.0.1", port), 10) as s, s.makefile("rwb") as f:
            f.write(b"*%d\r\n" % len(words))
            for w in words:
                f.write(b"$%d\r\n%s\r\n" % (len(w), w.encode()))
            f.flush()
            line = f.readline().decode().rstrip()
            return f.readline().decode().rstrip() if line.startswith("$") and line != "$-1" else line

    def test_a_store_on_a_directory_of_the_host_keeps_its_data(self):
        """Killed and started again, and started once more after an orderly end, the append-only file
        rewritten by a child in between; and the twin: a directory the image does not name."""
        port = free_port()
        data = os.path.join(self.dir, "data")
        os.mkdir(data)
        for name, path in (("keeps", data + ":rw"), ("forgets", None)):
            self.nacre("convert", "--namespace=clinic", "--create-namespace", "--name", name,
                       "--from", "oci:" + REDIS, "--to", "oci:" + name,
                       "--cas", f"localhost:{self.api}", "--allow-softsgx",
                       "--command", f"/usr/bin/redis-server --port {port} --bind 127.0.0.1 "
                       f"--appendonly yes --appendfsync always --save '' --dir {data if path else '/tmp'}",
                       *(["--host-path", path] if path else []))

        def start(name):
            process = self.start(name)
            self.wait_for(name, "Ready to accept connections")
            return process

        first = start("keeps")
        for i in range(200):
            self.assertEqual(self.redis(port, "SET", f"key{i}", f"value{i}"), "+OK")
        first.kill()
        first.wait(10)
        second = start("keeps")
        self.assertEqual(self.redis(port, "DBSIZE"), ":200", self.log("keeps"))
        self.assertEqual(self.redis(port, "GET", "key199"), "value199")
        self.assertTrue(self.redis(port, "BGREWRITEAOF").startswith("+"))
        self.wait_for("keeps", "Background AOF rewrite finished successfully")
        self.assertEqual(self.redis(port, "SET", "last", "one"), "+OK")
        self.end(second)
        third = start("keeps")
        self.assertEqual(self.redis(port, "DBSIZE"), ":201", self.log("keeps"))
        self.assertEqual(self.redis(port, "GET", "last"), "one")
        self.end(third)
        # Without the path nothing of it is inside, and what is written stays inside.
        before = sorted(os.listdir(data))
        fourth = start("forgets")
        self.assertEqual(self.redis(port, "DBSIZE"), ":0", self.log("forgets"))
        self.assertEqual(self.redis(port, "SET", "a", "b"), "+OK")
        self.end(fourth)
        self.assertEqual(sorted(os.listdir(data)), before)

    def test_service_without_the_imports_is_refused_by_the_store(self):
        self.convert("redis", REDIS, "redis/redis-{}.yml")
        with open(os.path.join(FLASK, "redis", "flask-secrets.yml"), encoding="utf-8") as f:
            text = f.read().replace("./redis", "./other")
        r = subprocess.run(
            [NACRE, "convert", "--namespace=clinic", "--name=flask", "--from", "oci:" + NATIVE,
             "--to", "oci:flask", "--cas", f"localhost:{self.api}", "--allow-softsgx"],
            cwd=self.dir, env={**self.env, "SECRETS": text}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("there is no session clinic/other", r.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "flask")))


if __name__ == "__main__":
    unittest.main()
