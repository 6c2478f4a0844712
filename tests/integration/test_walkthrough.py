#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/walkthrough.md as a reader would follow it: its commands, in order, in one shell, in a copy of
the example; each ```expect block must be in what the commands before it printed. The docker blocks
run where a docker daemon can be had: the one of $DOCKER_HOST, or one started here for the purpose."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NACRE = os.environ["NACRE"]
NATIVE = os.environ["NACRE_FLASK_IMAGE"]  # made once, in the build directory
PORTS = (4996, 8081, 18765)
MARK = "@@ block %d @@"


def blocks(text):
    """[(kind, words)] of the page: kind is "sh", "sh docker" or "expect"."""
    return [(m[1].strip(), m[2]) for m in re.finditer(r"^```([a-z ]+)\n(.*?)^```$", text, re.M | re.S)]


def busy():
    for port in PORTS:
        with socket.socket() as s:
            s.settimeout(1)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return port
    return 0


class Docker:
    """A daemon with its own data root and socket, or the reason why there is none."""

    def __init__(self, where):
        self.process = None
        self.why = ""
        self.host = os.environ.get("DOCKER_HOST", "")
        if self.host:
            return
        missing = [x for x in ("dockerd", "docker-compose", "skopeo") if not shutil.which(x)]
        if os.geteuid() != 0 or missing:
            self.why = "not root" if os.geteuid() != 0 else " ".join(missing) + " not installed"
            return
        self.host = f"unix://{where}/docker.sock"
        with open(f"{where}/dockerd.log", "wb") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", f"{where}/data", "--exec-root", f"{where}/exec", "-H",
                 self.host, "--pidfile", f"{where}/pid"], stdout=log, stderr=log)
        for _ in range(300):
            if os.path.exists(f"{where}/docker.sock") and self.answers():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with open(f"{where}/dockerd.log", encoding="utf-8", errors="replace") as log:
            self.why = "dockerd does not start: " + log.read()[-300:].replace("\n", " ")
        self.stop()

    def answers(self):
        return subprocess.run(["docker", "version"], env={**os.environ, "DOCKER_HOST": self.host},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process = None


class Walkthrough(unittest.TestCase):
    def setUp(self):
        port = busy()
        if port:
            self.skipTest(f"something listens on port {port} of this machine")
        if not os.path.isdir(NATIVE):
            os.makedirs(os.path.dirname(NATIVE), exist_ok=True)
            subprocess.run([os.path.join(ROOT, "examples", "flask", "make-native-image"), NATIVE],
                           check=True, stdout=subprocess.DEVNULL)
        self.dir = tempfile.mkdtemp(prefix="nacre-walk-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        shutil.copytree(os.path.join(ROOT, "examples"), os.path.join(self.dir, "examples"))

    def script(self, page, with_docker):
        """The page as one shell script. The native image takes half a minute to make, so it is made
        once and copied in where the page makes it."""
        lines = ["set -eu", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
        kinds = []
        for i, (kind, words) in enumerate(page):
            kinds.append((i, kind, words))
            if kind == "sh docker" and not with_docker:
                continue
            if kind.startswith("sh"):
                words = words.replace("./make-native-image native_flask_restapi_image",
                                      f"cp -r {NATIVE} native_flask_restapi_image")
                lines += [f"echo '{MARK % i}'", words]
        return "\n".join(lines), kinds

    def run_script(self, script, env):
        p = subprocess.Popen(["bash", "-c", script], cwd=self.dir, env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             start_new_session=True, errors="replace")
        try:
            out, _ = p.communicate(timeout=280)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, _ = p.communicate()
            self.fail("the walkthrough hangs:\n" + out)
        return p.returncode, out

    def test_commands_of_the_page(self):
        with open(os.path.join(ROOT, "docs", "walkthrough.md"), encoding="utf-8") as f:
            page = blocks(f.read())
        self.assertGreater(len([1 for kind, _ in page if kind == "sh"]), 8)
        docker = Docker(self.dir)
        self.addCleanup(docker.stop)
        if docker.why:
            print(f"# the docker parts are left out: {docker.why}", file=sys.stderr)
        script, kinds = self.script(page, not docker.why)
        env = {**os.environ, "PATH": os.path.dirname(NACRE) + ":" + os.environ["PATH"],
               "NACRE_STATE_DIR": os.path.join(self.dir, "state")}
        if docker.host:
            env["DOCKER_HOST"] = docker.host
        status, out = self.run_script(script, env)
        self.assertEqual(status, 0, out)
        said = out
        for i, kind, words in kinds:
            if kind.startswith("sh") and MARK % i in out:
                said = out.split(MARK % i, 1)[1].split("@@ block", 1)[0]
            elif kind == "expect":
                for line in words.splitlines():
                    self.assertIn(line, said, out)
        if not docker.why:
            self.assertIn('"fname":"Ann"', out)
            self.assertIn('"fname":"Joe"', out)


if __name__ == "__main__":
    unittest.main()
