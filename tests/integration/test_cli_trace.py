#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre trace: what an application opens is listed, what it does not open is not; services are asked
to stop; nothing is left over."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
BUSYBOX = "/bin/busybox"


def image(path, cmd=None, env=None, cwd=None):
    with open(BUSYBOX, "rb") as f:
        busybox = f.read()
    layer = Layer().dir("bin").add("bin/busybox", data=busybox, mode=0o755)
    for name in ("sh", "cat", "sleep", "false", "ls"):
        layer.symlink("bin/" + name, "busybox")
    layer.dir("data").add("data/a", data=b"A").add("data/deep/er/b", data=b"B")
    layer.dir("other").add("other/c", data=b"C").add("top", data=b"T")
    layer.symlink("link", "data/a").add("odd/\udcff\"\\\n", data=b"O")
    layer.dir("tmp", mode=0o1777)
    config = {"Cmd": cmd, "Env": env, "WorkingDir": cwd}
    return oci_build.make(path, [layer.bytes()],
                          config={k: v for k, v in config.items() if v is not None})


@unittest.skipUnless(os.path.exists(BUSYBOX), "busybox-static is not installed")
class Trace(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-trace-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.before = set(glob.glob("/dev/shm/nacre-trace-*"))

    def tearDown(self):
        self.assertEqual(set(glob.glob("/dev/shm/nacre-trace-*")) - self.before, set())

    def trace(self, code, *words):
        r = subprocess.run([NACRE, "trace", *words], cwd=self.dir, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False, timeout=60,
                           env={**os.environ, "NACRE_STATE_DIR": self.dir + "/state"})
        self.assertEqual(r.returncode, code, (r.stdout, r.stderr))
        return r.stdout.decode(errors="surrogateescape"), r.stderr.decode(errors="replace")

    def test_directories_and_files(self):
        image(self.dir + "/image", cmd=["/bin/sh", "-c", "read x < /data/a"])
        out, _ = self.trace(0, "oci:image")
        self.assertEqual(out, "--dir=/bin --dir=/data\n")
        out, _ = self.trace(0, "--files", "oci:image")
        self.assertEqual(out, "/bin/busybox\n/data/a\n")
        out, _ = self.trace(0, "--json", "oci:image", "--", "/bin/cat", "/data/deep/er/b", "/top")
        self.assertEqual(json.loads(out), {"dirs": ["/bin", "/data/deep/er", "/top"],
                                           "files": ["/bin/busybox", "/data/deep/er/b", "/top"]})
        out, _ = self.trace(0, "--depth", "1", "oci:image", "--", "/bin/cat", "/data/deep/er/b")
        self.assertEqual(out, "--dir=/bin --dir=/data\n")

    def test_links_are_resolved_and_output_is_kept_apart(self):
        image(self.dir + "/image")
        out, err = self.trace(0, "--files", "oci:image", "/bin/cat", "/link")
        self.assertEqual(out, "/bin/busybox\n/data/a\n")
        self.assertIn("A", err)

    def test_odd_names(self):
        image(self.dir + "/image")
        out, _ = self.trace(0, "--files", "oci:image", "--", "/bin/sh", "-c", "cat /odd/*")
        self.assertIn("/odd/\udcff\"\\\n", out)

    def test_configuration_of_the_image(self):
        image(self.dir + "/image", cmd=["/bin/sh", "-c", "read x < $NAME"], env=["NAME=c"],
              cwd="/other")
        self.assertIn("--dir=/other", self.trace(0, "oci:image")[0])
        out, _ = self.trace(0, "-e", "NAME=/data/a", "oci:image")
        self.assertIn("--dir=/data", out)
        self.assertNotIn("/other", out)

    def test_service_is_asked_to_stop(self):
        image(self.dir + "/image", cmd=["/bin/sh", "-c", "read x < /data/a; exec sleep 1000"])
        self.assertIn("--dir=/data", self.trace(0, "--for", "4", "oci:image")[0])

    def test_failures(self):
        image(self.dir + "/image")
        self.assertIn("names no command", self.trace(1, "oci:image")[1])
        self.assertIn("status 1", self.trace(0, "oci:image", "--", "/bin/false")[1])
        self.trace(1, "oci:image", "--", "/absent")
        self.trace(1, "oci:absent")
        self.trace(2, "--depth", "0", "oci:image")
        self.trace(2)


if __name__ == "__main__":
    unittest.main()
