#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs run from a sealed image in the enclave; and every class of changed byte is an error there,
never wrong data. Needs a static busybox; without one it says so and skips."""
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
BUSYBOX = shutil.which("busybox")
BLOCK = 4096


@unittest.skipIf(BUSYBOX is None or not oci_build.is_static(BUSYBOX or "/dev/null"),
                 "no static busybox: nothing to run from an image without a C library")
class SealedExec(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="nacre-test-sealed-exec-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        with open(BUSYBOX, "rb") as f:
            busybox = f.read()
        cls.big = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(200000))
        layer = Layer()
        for name in ("bin", "etc", "tmp", "proc", "dev"):
            layer.dir(name)
        layer.add("bin/busybox", data=busybox, mode=0o755)
        layer.symlink("bin/sh", "busybox")
        layer.add("etc/motd", data=b"from the sealed image\n", uid=3, gid=4)
        layer.hardlink("etc/motd2", "etc/motd")
        layer.add("big", data=cls.big)
        oci_build.make(os.path.join(cls.dir, "layout"), [layer.bytes()])
        cls.image = os.path.join(cls.dir, "image")
        cls.key = os.path.join(cls.dir, "key")
        r = subprocess.run([NACRE, "seal", "--from", "oci:" + os.path.join(cls.dir, "layout"),
                            "--key-out", cls.key, cls.image], stdout=subprocess.PIPE, check=True,
                           stderr=subprocess.DEVNULL)
        cls.root = r.stdout.decode().strip()

    def run_in(self, *words, image=None, key=None, options=()):
        state = dict(os.environ, NACRE_MODE="soft")
        return subprocess.run([NACRE, "exec", "--quiet", "--sealed", image or self.image, "--key",
                               key or self.key, *options, "--", "/bin/busybox", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=state,
                              timeout=60, check=False)

    def digest(self):
        with open(self.image, "rb") as f:
            return hashlib.sha256(f.read()).digest()

    def changed(self, offset):
        path = os.path.join(self.dir, "changed")
        shutil.copy(self.image, path)
        with open(path, "r+b") as f:
            f.seek(offset)
            old = f.read(1)
            f.seek(offset)
            f.write(bytes([old[0] ^ 0x40]))
        return path

    def test_files_come_out_as_they_went_in(self):
        r = self.run_in("cat", "/etc/motd")
        self.assertEqual((r.returncode, r.stdout), (0, b"from the sealed image\n"), r.stderr)
        r = self.run_in("sha256sum", "/big")
        self.assertEqual(r.stdout.split()[0].decode(), hashlib.sha256(self.big).hexdigest())
        r = self.run_in("stat", "-c", "%h %u %g %a %s", "/etc/motd2")
        self.assertEqual(r.stdout, b"2 3 4 644 22\n")

    def test_a_cache_far_smaller_than_the_image(self):
        r = self.run_in("sha256sum", "/big", options=("--sealed-cache", "1048576"))
        self.assertEqual(r.stdout.split()[0].decode(), hashlib.sha256(self.big).hexdigest())

    def test_the_overlay_takes_writes_and_the_image_stays(self):
        before = self.digest()
        r = self.run_in("ash", "-c", "echo more >> /etc/motd; while read x; do echo \"<$x>\"; done < /etc/motd2")
        self.assertEqual(r.stdout, b"<from the sealed image>\n<more>\n", r.stderr)
        self.assertEqual(self.digest(), before)

    def test_pinned_root(self):
        r = self.run_in("true", options=("--sealed-root", self.root))
        self.assertEqual(r.returncode, 0, r.stderr)
        r = self.run_in("true", options=("--sealed-root", self.root[:-1] + "%x" % (int(self.root[-1], 16) ^ 1)))
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"not the pinned image", r.stderr)

    def manifest(self, flags, root):
        path = os.path.join(self.dir, "manifest")
        with open(path, "wb") as f:
            f.write(b"\x89NMANI\r\n" + struct.pack("<IIQ", 1, 224, flags) + root + bytes(168))
        return ("--manifest", path)

    def test_manifest_pins_the_root(self):
        root = bytes.fromhex(self.root)
        r = self.run_in("cat", "/etc/motd", options=self.manifest(0x21, root))
        self.assertEqual((r.returncode, r.stdout), (0, b"from the sealed image\n"), r.stderr)
        other = bytes([root[0] ^ 1]) + root[1:]
        # what the launch parameters say does not count then
        r = self.run_in("true", options=self.manifest(0x21, other) + ("--sealed-root", self.root))
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"not the pinned image", r.stderr)
        r = self.run_in("true", options=self.manifest(0x01, root))  # protected: no key from the host
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"not from the host", r.stderr)
        r = self.run_in("true", options=self.manifest(0x81, root))
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"not one this library OS reads", r.stderr)

    def test_wrong_key(self):
        wrong = os.path.join(self.dir, "wrong")
        with open(wrong, "w", encoding="ascii") as f:
            f.write("42" * 32 + "\n")
        os.chmod(wrong, 0o600)
        r = self.run_in("true", key=wrong)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"sealed with another key", r.stderr)

    def test_every_region_is_guarded(self):
        size = os.path.getsize(self.image)
        with open(self.image, "rb") as f:
            blocks = struct.unpack_from("<Q", f.read(BLOCK), 16)[0]
        regions = {"superblock": 60, "tree": size - BLOCK + 8, "file system": BLOCK + 1030,
                   "first tags": (1 + blocks) * BLOCK + 3}
        for what, offset in regions.items():
            r = self.run_in("cat", "/etc/motd", image=self.changed(offset))
            self.assertNotEqual(r.returncode, 0, what)
            self.assertIn(b"audit: the sealed image", r.stderr, what)
            self.assertEqual(r.stdout, b"", what)

    def test_changed_data_is_eio_and_never_wrong(self):
        path = self.changed(os.path.getsize(self.image) * 7 // 10)
        r = self.run_in("cat", "/big", image=path)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"Input/output error", r.stderr)
        self.assertIn(b"audit: the sealed image has a data block that was changed", r.stderr)
        self.assertTrue(self.big.startswith(r.stdout))
        self.assertEqual(self.run_in("cat", "/etc/motd", image=path).stdout, b"from the sealed image\n")

    def test_truncated(self):
        path = os.path.join(self.dir, "cut")
        shutil.copy(self.image, path)
        os.truncate(path, os.path.getsize(path) - BLOCK)
        r = self.run_in("true", image=path)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"truncated", r.stderr)

    def stream_while(self, act):
        """Reads /big through a pipe; `act` is done to the image when the program is in the middle of it and
        waits for its reader. What came out, and the program's end."""
        path = os.path.join(self.dir, "during")
        shutil.copy(self.image, path)
        with subprocess.Popen([NACRE, "exec", "--quiet", "--sealed", path, "--key", self.key, "--",
                               "/bin/busybox", "cat", "/big"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=dict(os.environ, NACRE_MODE="soft")) as p:
            out = p.stdout.read(2 << 20)
            act(path)
            rest, err = p.communicate(timeout=60)
        os.unlink(path)
        return out + rest, err, p.returncode

    def test_a_stream_is_right_when_nobody_touches_it(self):
        out, err, code = self.stream_while(lambda path: None)
        self.assertEqual((code, err), (0, b""))
        self.assertEqual(hashlib.sha256(out).digest(), hashlib.sha256(self.big).digest())

    def test_truncated_during_a_stream(self):
        out, err, code = self.stream_while(lambda path: os.truncate(path, BLOCK))
        self.assertNotEqual(code, 0)
        self.assertIn(b"Input/output error", err)
        self.assertIn(b"audit: the sealed image", err)
        self.assertGreaterEqual(len(out), 2 << 20)
        self.assertLess(len(out), len(self.big))
        self.assertTrue(self.big.startswith(out))

    def test_changed_during_a_stream(self):
        def change(path):
            with open(path, "r+b") as f:
                for at in range(BLOCK, os.path.getsize(path), BLOCK):
                    f.seek(at + at // BLOCK * 37 % BLOCK)
                    old = f.read(1)
                    f.seek(-1, os.SEEK_CUR)
                    f.write(bytes([old[0] ^ 1]))

        out, err, code = self.stream_while(change)
        self.assertNotEqual(code, 0)
        self.assertIn(b"Input/output error", err)
        self.assertIn(b"audit: the sealed image", err)
        self.assertGreaterEqual(len(out), 2 << 20)
        self.assertLess(len(out), len(self.big))
        self.assertTrue(self.big.startswith(out))

    def test_usage(self):
        r = subprocess.run([NACRE, "exec", "--sealed", self.image, "--", "/bin/sh"],
                           stderr=subprocess.PIPE, check=False)
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(b"--key", r.stderr)


if __name__ == "__main__":
    unittest.main()
