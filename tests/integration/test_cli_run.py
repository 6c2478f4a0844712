#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre run: which environment the loader gets, what it refuses, what it leaves behind. The loader of
these images is a script that prints its environment; real ones run in the conversion tests."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from oci_build import Layer, Layout

NACRE = os.environ["NACRE"]
SCRIPT = b"#!/bin/sh\nenv | sort\necho args: $#\nexit 42\n"


def bundle(loader=SCRIPT):
    layer = Layer().dir("nacre").add("nacre/nacre-loader", data=loader, mode=0o755)
    for name in ("libos.elf", "sigstruct", "manifest"):
        layer.add("nacre/" + name, data=b"x" * 5000)
    return layer


class Run(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-run-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.state = os.path.join(self.dir, "state")

    def image(self, *layers, env=None):
        layout = Layout(os.path.join(self.dir, "image"))
        layout.image([x.bytes() for x in layers], config={"Env": env} if env else None)
        layout.finish()

    def run_image(self, code, *words, caller=None):
        env = {"PATH": os.environ["PATH"], "NACRE_STATE_DIR": self.state, **(caller or {})}
        r = subprocess.run([NACRE, "run", *words], cwd=self.dir, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False, env=env)
        self.assertEqual(r.returncode, code, r.stdout + r.stderr)
        return r

    def test_environment_is_the_images_then_the_options(self):
        self.image(Layer().dir("usr"), bundle(), env=["NACRE_CAS=image:1", "LANG=C", "A=1"])
        r = self.run_image(42, "oci:image", "--cas", "host:2", "-e", "A=2", "-e", "B=x=y",
                           "-v", "data=/d.nseal", "-v", "more=m", "--config-id", "n/s/v",
                           caller={"SECRET": "of the caller", "NACRE_MODE": "soft"})
        lines = r.stdout.splitlines()
        for want in ("NACRE_CAS=host:2", "LANG=C", "A=2", "B=x=y", "NACRE_MODE=soft",
                     "NACRE_VOLUMES=data=/d.nseal:more=m", "NACRE_CONFIG_ID=n/s/v", "args: 0"):
            self.assertIn(want, lines)
        self.assertNotIn("SECRET", r.stdout)
        self.assertNotIn("A=1", lines)

    def test_unpacked_once_and_pruned(self):
        self.image(bundle())
        self.run_image(42, "oci:image")
        kept = [x for x in os.listdir(os.path.join(self.state, "images")) if len(x) == 64]
        self.assertEqual(len(kept), 1)
        path = os.path.join(self.state, "images", kept[0], "manifest")
        with open(path, "wb") as f:
            f.write(b"marked")
        self.run_image(42, "oci:image")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"marked")
        self.run_image(42, "oci:image", "--refresh")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"x" * 5000)
        self.run_image(0, "--prune")
        self.assertEqual([x for x in os.listdir(os.path.join(self.state, "images")) if x[0] != "."],
                         [])

    def refused(self, *words):
        r = self.run_image(125, "oci:image")
        for word in words:
            self.assertIn(word, r.stderr)
        images = os.path.join(self.state, "images")
        self.assertEqual([x for x in os.listdir(images) if x[0] != "."], [])

    def test_not_converted(self):
        self.image(Layer().add("etc/passwd", data=b"x"))
        self.refused("nacre convert")

    def test_layer_on_top(self):
        self.image(bundle(), Layer().add("etc/motd", data=b"x"))
        self.refused("put on top")

    def test_odd_entries(self):
        for layer in (bundle().symlink("nacre/agent", "/etc/passwd"),
                      bundle().add("nacre/../etc", data=b"x"),
                      bundle().add("nacre/sub/file", data=b"x"),
                      bundle().hardlink("nacre/agent", "etc/passwd"),
                      bundle().add("nacre/.hidden", data=b"x")):
            shutil.rmtree(os.path.join(self.dir, "image"), ignore_errors=True)
            self.image(layer)
            self.refused("nacre run:")

    def test_broken_layer(self):
        self.image(bundle())
        blobs = os.path.join(self.dir, "image", "blobs", "sha256")
        with open(os.path.join(self.dir, "image", "index.json"), encoding="utf-8") as f:
            index = json.load(f)
        with open(os.path.join(blobs, index["manifests"][0]["digest"][7:]), encoding="utf-8") as f:
            layer = json.load(f)["layers"][0]["digest"][7:]
        with open(os.path.join(blobs, layer), "r+b") as f:
            f.seek(60)
            byte = f.read(1)[0]
            f.seek(60)
            f.write(bytes([byte ^ 1]))
        self.refused("layer")

    def test_words(self):
        self.image(bundle())
        self.assertIn("name an image", self.run_image(2).stderr)
        self.assertIn("own ports", self.run_image(2, "-p", "80:8080", "oci:image").stderr)
        self.run_image(42, "-p", "80:80", "-p", "127.0.0.1:80:80", "oci:image")
        self.assertIn("NAME=VALUE", self.run_image(125, "-e", "X", "oci:image").stderr)
        self.assertIn("NAME=FILE", self.run_image(125, "-v", "X", "oci:image").stderr)
        self.run_image(125, "oci:absent")


if __name__ == "__main__":
    unittest.main()
