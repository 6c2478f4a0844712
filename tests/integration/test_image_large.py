#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Large images (suite 'slow'): 200,000 files in one directory, a 2 GiB sparse file, a long zstd window,
names that leave no room. Bounded memory, small results, and still the same files."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
FILES = 200000
MEMORY_MAX_KB = 256 * 1024


class Large(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-large-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def nacre(self, *words):
        r = subprocess.run([NACRE, *words], cwd=self.dir, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False)
        self.assertEqual(r.returncode, 0, r.stderr.decode(errors="replace"))
        return r.stdout.decode()

    def measured(self):
        # A child's peak counts what it was before exec: a small process in between measures nacre.
        code = ("import resource, subprocess, sys\n"
                "r = subprocess.run(sys.argv[1:]).returncode\n"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
                "sys.exit(r)")
        r = subprocess.run([sys.executable, "-c", code, NACRE, "seal", "--json", "--from",
                            "oci:layout", "--force", "--key-out", "key", "sealed"], cwd=self.dir,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        peak = int(r.stderr.split()[-1])
        print(f"# peak memory {peak // 1024} MiB")
        self.assertLess(peak, MEMORY_MAX_KB)
        return r

    def seal(self):
        r = self.measured()
        self.assertEqual(r.returncode, 0, r.stderr.decode(errors="replace"))
        return json.loads(r.stdout)

    def test_two_hundred_thousand_files_in_one_directory(self):
        layer = Layer()
        for i in range(FILES):
            layer.add(f"many/file-{i * 7919 % FILES:06d}", data=b"content %d" % i, uid=i % 70000)
        oci_build.make(self.path("layout"), [layer.bytes()])
        self.assertEqual(self.seal()["names"], FILES + 2)
        self.nacre("verify", "--key", "key", "sealed")
        self.nacre("unseal", "--key", "key", "--out", "out", "--erofs", "erofs", "sealed")
        self.assertEqual(len(os.listdir(self.path("out/many"))), FILES)
        for i in range(0, FILES, 997):
            name = os.path.join(self.path("out/many"), f"file-{i * 7919 % FILES:06d}")
            with open(name, "rb") as f:
                self.assertEqual(f.read(), b"content %d" % i)
        if shutil.which("fsck.erofs"):
            subprocess.run(["fsck.erofs", self.path("erofs")], check=True,
                           stdout=subprocess.DEVNULL)

    @unittest.skipIf(not os.path.exists("/dev/fuse"), "no /dev/fuse here")
    def test_lookups_in_a_large_directory_are_quick(self):
        layer = Layer()
        for i in range(FILES):
            layer.add(f"many/file-{i:06d}")
        oci_build.make(self.path("layout"), [layer.bytes()])
        self.seal()
        os.mkdir(self.path("mnt"))
        self.nacre("mount", "--key", "key", "sealed", "mnt")
        try:
            start = time.monotonic()
            for i in range(0, FILES, 200):
                os.stat(self.path(f"mnt/many/file-{i:06d}"))
            each = (time.monotonic() - start) / (FILES / 200)
        finally:
            subprocess.run(["umount", self.path("mnt")], check=True)
        print(f"# {each * 1e6:.0f} us per cold lookup through FUSE")
        self.assertLess(each, 0.005)  # a linear search would take many times that

    def test_two_gigabytes_of_holes(self):
        size = 2 << 30
        sparse = self.path("sparse")
        with open(sparse, "wb") as f:
            f.truncate(size)
            for at in (0, 1 << 20, (1 << 31) - 5):
                f.seek(at)
                f.write(b"here!")
        for option in ([], ["-S"]):  # zeros written out, and a sparse map
            with self.subTest(option=option):
                shutil.rmtree(self.path("layout"), ignore_errors=True)
                subprocess.run(["tar", "-C", self.dir, *option, "-cf", self.path("t"), "sparse"],
                               check=True)
                layout = oci_build.Layout(self.path("layout"))
                self.big_layer(layout)
                layout.finish()
                self.seal()
                self.assertLess(os.path.getsize(self.path("sealed")), 1 << 20)
                self.nacre("unseal", "--key", "key", "--out", "out", "sealed")
                st = os.stat(self.path("out/sparse"))
                self.assertEqual(st.st_size, size)
                self.assertLess(st.st_blocks * 512, 1 << 20)
                subprocess.run(["cmp", sparse, self.path("out/sparse")], check=True)
                shutil.rmtree(self.path("out"))

    @unittest.skipIf(shutil.which("zstd") is None, "no zstd to pack with")
    def test_a_long_zstd_window_counts(self):
        size = 300 << 20
        with tarfile.open(self.path("t"), "w") as tar, open("/dev/urandom", "rb") as noise:
            for name in ("a", "b"):  # more than is kept, behind what is
                info = tarfile.TarInfo(name)
                info.size = size // 2
                tar.addfile(info, noise)
        layout = oci_build.Layout(self.path("layout"))
        self.big_layer(layout, "zstd", "-q", "-1", "--long=27", "--rm", "-o", self.path("t.gz"))
        layout.finish()
        self.seal()
        self.nacre("verify", "--key", "key", "sealed")

    def test_names_that_leave_no_room_are_refused(self):
        with tarfile.open(self.path("t"), "w", format=tarfile.GNU_FORMAT) as tar:
            for i in range(60000):  # 240 MB of link targets
                info = tarfile.TarInfo(f"link-{i:06d}")
                info.type = tarfile.SYMTYPE
                info.linkname = "t" * 4000
                tar.addfile(info)
        layout = oci_build.Layout(self.path("layout"))
        self.big_layer(layout)
        layout.finish()
        r = self.measured()
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"names, links and attributes take", r.stderr)
        self.assertEqual(os.listdir(self.dir), ["layout"])

    def big_layer(self, layout, *pack):
        """As Layout.image, but the layer stays on disk; compressed, as builders do."""
        diff = hashlib.sha256()
        with open(self.path("t"), "rb") as f:
            while chunk := f.read(1 << 20):
                diff.update(chunk)
        subprocess.run([*(pack or ("gzip", "-1n", "-f")), self.path("t")], check=True)
        with open(self.path("t.gz"), "rb") as f:
            blob = f.read()
        os.unlink(self.path("t.gz"))
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {
            "type": "layers", "diff_ids": ["sha256:" + diff.hexdigest()]}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "config": {"digest": layout.put(config), "size": len(config)},
            "layers": [{"digest": layout.put(blob), "size": len(blob)}]}).encode()
        layout.manifests = [{"digest": layout.put(manifest), "size": len(manifest)}]


if __name__ == "__main__":
    unittest.main(verbosity=2)
