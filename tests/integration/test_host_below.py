#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A sealed image over an unprotected host directory (manifest bit 6): what the image has wins, its opaque
directories are whole, the rest is the host's; and an error of the image is never the host's file."""
import os
import shutil
import subprocess
import tempfile
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
BUSYBOX = shutil.which("busybox")


def is_fixed(path):
    with open(path, "rb") as f:
        return f.read(18)[16] == 2  # ET_EXEC: linked for one low address


@unittest.skipIf(os.environ.get("NACRE_SANITIZED") == "1" and BUSYBOX is not None and is_fixed(BUSYBOX),
                 "busybox is linked for a low address, which belongs to the sanitizer's shadow")
@unittest.skipIf(BUSYBOX is None or not oci_build.is_static(BUSYBOX or "/dev/null"),
                 "no static busybox: nothing to run from an image without a C library")
class HostBelow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="nacre-test-host-below-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        with open(BUSYBOX, "rb") as f:
            busybox = f.read()
        layer = Layer()
        for name in ("bin", "tmp", "proc", "dev", "both", "both/deep"):
            layer.dir(name)
        layer.dir("app", xattrs={"trusted.overlay.opaque": "y"})
        layer.dir("loose", xattrs={"trusted.overlay.opaque": "n"})
        layer.add("bin/busybox", data=busybox, mode=0o755)
        layer.add("app/code", data=b"sealed code\n")
        layer.add("both/sealed", data=b"sealed\n")
        layer.add("both/name", data=b"sealed wins\n")
        layer.add("both/deep/one", data=b"1\n")
        layer.add("file-or-dir", data=b"a sealed file\n")
        layer.dir("dir-or-file")
        layer.add("dir-or-file/inside", data=b"inside\n")
        oci_build.make(os.path.join(cls.dir, "layout"), [layer.bytes()])
        cls.image, cls.key = os.path.join(cls.dir, "image"), os.path.join(cls.dir, "key")
        root = subprocess.run([NACRE, "seal", "--from", "oci:" + os.path.join(cls.dir, "layout"),
                               "--key-out", cls.key, cls.image], stdout=subprocess.PIPE, check=True,
                              stderr=subprocess.DEVNULL).stdout.decode().strip()
        cls.manifest = os.path.join(cls.dir, "manifest")
        subprocess.run([NACRE, "manifest", "build", "--host-trusted", "--host-below", "--sealed-root", root,
                        "--output", cls.manifest], check=True)
        host = cls.host = os.path.join(cls.dir, "host")
        for path, data in {"app/code": "host code\n", "app/planted": "evil\n", "both/name": "host loses\n",
                           "both/host": "host\n", "both/deep/two": "2\n", "loose/host": "loose\n",
                           "only/here": "only\n", "file-or-dir/inside": "x\n", "dir-or-file": "y\n",
                           "etc/motd": "host's\n"}.items():
            full = os.path.join(host, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="ascii") as f:
                f.write(data)

    def run_in(self, *words, image=None):
        return subprocess.run(["timeout", "-k", "1", "30", NACRE, "exec", "--quiet", "--sealed",
                               image or self.image, "--key", self.key, "--root", self.host, "--manifest",
                               self.manifest, "--", "/bin/busybox", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, NACRE_MODE="soft"), check=False)

    def cat(self, *paths):
        r = self.run_in("cat", *paths)
        return r.stdout.decode() if r.returncode == 0 else None

    def listed(self, path):
        return self.run_in("ls", path).stdout.decode().split()

    def test_the_image_wins(self):
        self.assertEqual(self.cat("/both/name", "/both/sealed", "/both/deep/one"), "sealed wins\nsealed\n1\n")
        self.assertEqual(self.cat("/file-or-dir", "/dir-or-file/inside"), "a sealed file\ninside\n")
        self.assertIsNone(self.cat("/file-or-dir/inside"))

    def test_the_host_shows_where_the_image_has_nothing(self):
        self.assertEqual(self.cat("/both/host", "/both/deep/two", "/only/here", "/etc/motd", "/loose/host"),
                         "host\n2\nonly\nhost's\nloose\n")
        self.assertEqual(self.listed("/both"), ["deep", "host", "name", "sealed"])
        self.assertEqual(self.listed("/both/deep"), ["one", "two"])

    def test_an_opaque_directory_is_whole(self):
        self.assertEqual(self.listed("/app"), ["code"])
        self.assertEqual(self.cat("/app/code"), "sealed code\n")
        self.assertIsNone(self.cat("/app/planted"))

    def test_writes_stay_inside(self):
        before = sorted(os.listdir(os.path.join(self.host, "both")))
        r = self.run_in("ash", "-c", "echo more >> /both/host; echo new > /both/new; "
                        "while read x; do echo $x; done < /both/host; echo /both/*")
        self.assertEqual(r.stdout.decode(),
                         "host\nmore\n/both/deep /both/host /both/name /both/new /both/sealed\n", r.stderr)
        self.assertEqual(sorted(os.listdir(os.path.join(self.host, "both"))), before)
        with open(os.path.join(self.host, "both/host"), encoding="ascii") as f:
            self.assertEqual(f.read(), "host\n")

    def test_a_changed_image_is_an_error_and_not_the_hosts_file(self):
        changed = os.path.join(self.dir, "changed")
        shutil.copy(self.image, changed)
        with open(self.image, "rb") as f:
            blocks = int.from_bytes(f.read(24)[16:24], "little")
        with open(changed, "r+b") as f:  # every data block but the first (the superblock's)
            for i in range(1, blocks):
                f.seek((1 + i) * 4096 + 7)
                byte = f.read(1)
                f.seek(-1, 1)
                f.write(bytes([byte[0] ^ 1]))
        r = self.run_in("cat", "/both/name", image=changed)
        self.assertNotEqual(r.returncode, 0)
        self.assertEqual(r.stdout, b"")
        self.assertIn(b"audit: the sealed image", r.stderr)


if __name__ == "__main__":
    unittest.main()
