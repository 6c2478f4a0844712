#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job: an image is converted, its session lies on CAS, and the sealed image runs because it
proves what it is. And each twin that was tampered with does not."""
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import unittest

import test_convert_partial
from convert_util import NACRE, ConvertCase, read_bytes, run, small_layer


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class ConvertRun(ConvertCase):
    def setUp(self):
        super().setUp()
        self.api, self.door = free_port(), free_port()
        log = open(self.path("cas.log"), "wb")
        self.addCleanup(log.close)
        self.cas = subprocess.Popen(
            [NACRE, "cas", "serve", "--dir", self.path("cas"), "--listen", f"127.0.0.1:{self.api}",
             "--provision-listen", f"127.0.0.1:{self.door}", "--software-root", "local"],
            stdout=log, stderr=log, env={**os.environ, **self.env})
        self.addCleanup(self.stop_cas)
        for _ in range(200):
            found = re.search(r"key to pin: (\S+)", self.read("cas.log"))
            if found:
                self.pin = found.group(1)
                return
            time.sleep(0.05)
        self.fail(self.read("cas.log"))

    def stop_cas(self):
        self.cas.send_signal(signal.SIGTERM)
        try:
            self.cas.wait(10)
        except subprocess.TimeoutExpired:
            self.cas.kill()
            self.cas.wait()

    def convert_for_cas(self, *words, env=None):
        code, out, err = run(NACRE, "convert", "--to", "oci:" + self.path("out"), "--cas",
                             f"127.0.0.1:{self.api}", "--cas-pin", self.pin, "--run-cas",
                             f"127.0.0.1:{self.door}", "--allow-softsgx", *words,
                             env={**self.env, **(env or {})})
        self.assertEqual(code, 0, err)
        return out.strip()

    def run_image(self, layout="out"):
        return run("timeout", "-k", "1", "60", NACRE, "run", "oci:" + self.path(layout),
                   env={**self.env, "NACRE_MODE": "soft"})

    def test_it_runs_as_its_session_says(self):
        config = {"Entrypoint": ["/app/hello.sh"], "Cmd": ["world"], "WorkingDir": "/app"}
        self.convert_for_cas("--from", self.source(config=config), "--name", "hello")
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "hello from the script world\n"), err)

    @unittest.skipIf(shutil.which("musl-gcc") is None, "no musl-gcc to build the program with")
    def test_a_musl_image_whole_and_in_part(self):
        with open(self.path("hello.c"), "w", encoding="ascii") as f:
            f.write('#include <stdio.h>\n#include <time.h>\n'
                    'int main(int n, char **v) { printf("musl %d %s\\n", n, v[1]); return time(NULL) < 1; }\n')
        subprocess.run(["musl-gcc", "-o", self.path("hello"), self.path("hello.c")], check=True)
        layer = small_layer().dir("usr").dir("usr/bin").dir("lib")
        layer.add("lib/libc.musl-x86_64.so.1", data=read_bytes("/lib/ld-musl-x86_64.so.1"), mode=0o755)
        layer.symlink("lib/ld-musl-x86_64.so.1", "libc.musl-x86_64.so.1")  # as Alpine has it, with its name
        layer.symlink("lib/libc.so", "libc.musl-x86_64.so.1")
        layer.add("usr/bin/hello", data=read_bytes(self.path("hello")), mode=0o755)
        source = self.source([layer.bytes()], config={"Cmd": ["hello", "whole"]})
        self.convert_for_cas("--from", source, "--name", "whole")
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "musl 2 whole\n"), err)
        shutil.rmtree(self.path("out"))
        self.convert_for_cas("--from", source, "--name", "part", "--dir", "/app")
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "musl 2 whole\n"), err)

    def test_environment_secrets_and_files(self):
        script = 'echo $GREETING; read x < /run/token; echo $x; pwd'
        self.convert_for_cas(
            "--from", self.source(config={"User": "app", "WorkingDir": "/app"}), "--command",
            f"/bin/sh -c '{script}'", "--env", "GREETING=good day",
            env={"SECRETS": "secrets:\n  - {name: token, kind: ascii, value: s3cret}\n",
                 "INJECTED_FILES": "injection_files:\n  - path: /run/token\n"
                                   "    content: \"$$SCONE::token$$\\n\"\n    permission: 0o600\n"})
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "good day\ns3cret\n/app\n"), err)

    def test_the_user_of_the_image(self):
        self.convert_for_cas("--from", self.source(config={"User": "app"}), "--command",
                             "/bin/busybox id")
        code, out, err = self.run_image()
        self.assertEqual((code, out),
                         (0, "uid=1000(app) gid=100(users) groups=100(users),200(extra)\n"), err)

    @unittest.skipIf(test_convert_partial.PROGRAM is None, "no bash on this machine")
    def test_a_part_is_sealed_and_the_rest_is_there(self):
        layer, _, _ = test_convert_partial.Partial.glibc_layer(self)
        self.convert_for_cas("--from", self.source([layer.bytes()]), "--dir", "/app", "--command",
                             "/bin/prog -c 'read x < /srv/public; echo $x; . /app/main.sh'")
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "outside-public-1\nfrom the sealed script\n"), err)

    def test_tampered_twins_get_nothing(self):
        self.convert_for_cas("--from", self.source(), "--command", "/app/hello.sh")
        b = self.bundle()
        names = sorted(b.files)
        for name in names:
            for where in ("early", "late") if name == "rootfs.nseal" else ("early",):
                with self.subTest(name=name, where=where):
                    folder = self.path("twin")
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.copytree(self.path("out-files"), folder)
                    target = os.path.join(folder, name)
                    with open(target, "r+b") as f:
                        size = f.seek(0, 2)
                        at = {"early": min(4096 + 100, size // 2), "late": size - 600}[where]
                        f.seek(at)
                        byte = f.read(1)
                        f.seek(at)
                        f.write(bytes([byte[0] ^ 1]))
                    if name == "nacre-loader":
                        continue  # untrusted: nothing rests on it
                    os.chmod(os.path.join(folder, "nacre-loader"), 0o755)
                    code, out, err = run("timeout", "-k", "1", "60",
                                         os.path.join(folder, "nacre-loader"),
                                         env={**self.env, "NACRE_MODE": "soft", "NACRE_CAS":
                                              f"127.0.0.1:{self.door}", "NACRE_CONFIG_ID":
                                              b.config["config"]["Env"][0].split("=", 1)[1]})
                    self.assertNotEqual(code, 0, out + err)
                    self.assertNotIn("hello from the script", out)

    def test_a_second_conversion_replaces_what_the_first_allowed(self):
        source = self.source()
        args = ["--from", source, "--command", "/app/hello.sh", "--namespace", "n", "--name", "x",
                "--create-namespace"]
        self.assertEqual(self.convert_for_cas(*args), "n/x")
        os.rename(self.path("out"), self.path("old"))
        self.assertEqual(self.convert_for_cas(*args), "n/x")
        code, out, err = self.run_image("old")
        self.assertEqual((code, out), (77, ""), err)
        code, out, err = self.run_image()
        self.assertEqual((code, out), (0, "hello from the script\n"), err)
        code, out, err = run(NACRE, "convert", "--to", "oci:" + self.path("third"), "--cas",
                             f"127.0.0.1:{self.api}", "--cas-pin", self.pin, "--no-update", *args,
                             env=self.env)
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("--no-update", err)
        self.assertFalse(os.path.exists(self.path("third")))

    def test_without_cas_there_is_no_image(self):
        self.stop_cas()
        code, out, err = run(NACRE, "convert", "--from", self.source(), "--command", "/bin/sh", "--to",
                             "oci:" + self.path("out"), "--cas", f"127.0.0.1:{self.api}", "--cas-pin",
                             self.pin, env=self.env)
        self.assertEqual((code, out), (1, ""), err)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
