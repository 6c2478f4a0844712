#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre convert of large images (suite 'slow'): bounded memory whatever the image, whole and in part;
the python3-flask image, compared with what umoci unpacks."""
import os
import shutil
import subprocess
import sys
import unittest

import oci_build
from convert_util import LOADER, NACRE, PIN, Bundle, ConvertCase, busybox, run, sealing_key
from oci_build import Layer
from test_image_content import entries

FILES = 200000
MEMORY_MAX_KB = 256 * 1024
HUGE = 2 << 30


class Large(ConvertCase):
    def measured(self, *words):
        """Converts, and holds nacre (alone: a small process stands between) to its memory."""
        code = ("import resource, subprocess, sys\n"
                "r = subprocess.run(sys.argv[1:]).returncode\n"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n"
                "sys.exit(r)")
        for leftover in ("out", "session.yml"):
            shutil.rmtree(self.path(leftover), ignore_errors=True)
            if os.path.exists(self.path(leftover)):
                os.unlink(self.path(leftover))
        r = subprocess.run([sys.executable, "-c", code, NACRE, "convert", "--to", "oci:out", "--cas-pin",
                            PIN, "--session-out", "session.yml", *words], cwd=self.dir,
                           env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False)
        self.assertEqual(r.returncode, 0, r.stderr.decode(errors="replace"))
        peak = int(r.stderr.split()[-1])
        print(f"# {' '.join(words[2:])}: peak memory {peak // 1024} MiB")
        self.assertLess(peak, MEMORY_MAX_KB)

    def unseal(self, into):
        b = Bundle(self.path("out"), self.path("files"))
        with open(self.path("key"), "w", encoding="ascii") as f:
            f.write(sealing_key(self.read("session.yml")))
        shutil.rmtree(self.path(into), ignore_errors=True)
        code, _, err = run(NACRE, "unseal", "--key", self.path("key"), "--out", self.path(into),
                           b.files["rootfs.nseal"])
        self.assertEqual(code, 0, err)
        return b

    def same_as_umoci(self, layout):
        """What was unsealed, entry by entry: mode, owner, attributes, time, content, links."""
        if os.geteuid() != 0 or shutil.which("umoci") is None:
            print("# not compared with umoci's: not root, or no umoci")
            return
        subprocess.run(["umoci", "unpack", "--image", layout + ":latest", self.path("bundle")],
                       check=True, stderr=subprocess.DEVNULL)
        ours = entries(self.path("tree"))
        theirs = entries(self.path("bundle", "rootfs"))
        shutil.rmtree(self.path("bundle"))
        self.assertEqual(sorted(ours), sorted(theirs))
        for name in theirs:
            self.assertEqual(ours[name], theirs[name], name)

    def base(self):
        return Layer().dir("./").dir("bin").add("bin/busybox", data=busybox(), mode=0o755)

    def test_two_hundred_thousand_files(self):
        layer = self.base().dir("many")
        for i in range(100):
            layer.dir(f"many/{i}", mtime=1600000000 + i)
        for i in range(FILES):
            layer.add(f"many/{i % 100}/file-{i * 7919 % FILES:06d}", data=b"content %d" % i,
                      mode=0o600 + i % 64, uid=i % 70000, gid=i % 7)
        oci_build.make(self.path("src"), [layer.bytes()])
        common = ["--from", "oci:src", "--command", "/bin/busybox true"]
        self.measured(*common)
        self.unseal("tree")
        self.assertEqual(sum(len(f) for _, _, f in os.walk(self.path("tree", "many"))), FILES)
        self.same_as_umoci(self.path("src"))
        self.measured(*common, "--dir", "/many/7")
        self.unseal("tree")
        self.assertEqual(len(os.listdir(self.path("tree", "many", "7"))), FILES // 100)
        self.assertEqual(os.listdir(self.path("tree", "many")), ["7"])

    def test_two_gigabytes_of_holes(self):
        # A sparse member as GNU tar writes it.
        os.makedirs(self.path("t", "srv"))
        os.makedirs(self.path("t", "bin"))
        shutil.copy("/bin/busybox", self.path("t", "bin", "busybox"))
        with open(self.path("t", "srv", "huge"), "wb") as f:
            f.write(b"begin")
            f.seek(HUGE - 3)
            f.write(b"end")
        subprocess.run(["tar", "--format=posix", "--sparse", "-cf", self.path("t.tar"), "-C",
                        self.path("t"), "."], check=True)  # umoci knows no other
        with open(self.path("t.tar"), "rb") as f:
            oci_build.make(self.path("src"), [f.read()])
        common = ["--from", "oci:src", "--command", "/bin/busybox true"]
        self.measured(*common)
        b = self.unseal("tree")
        self.assertLess(os.path.getsize(b.files["rootfs.nseal"]), 16 << 20)
        with open(self.path("tree", "srv", "huge"), "rb") as f:
            self.assertEqual(f.seek(0, 2), HUGE)
            f.seek(0)
            self.assertEqual(f.read(8), b"begin\0\0\0")
            f.seek(-6, 2)
            self.assertEqual(f.read(), b"\0\0\0end")
        self.same_as_umoci(self.path("src"))
        self.measured(*common, "--plain", "/srv")

    def test_the_python_flask_image(self):
        layout = os.environ.get("NACRE_FLASK_LAYOUT")
        if layout is None:
            if shutil.which("mmdebstrap") is None:
                self.skipTest("no mmdebstrap to make the image with; NACRE_FLASK_LAYOUT names a ready one")
            layout = self.path("flask")
            r = subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase",
                                "--include=python3,python3-flask", "bookworm", self.path("f.tar")],
                               stderr=subprocess.PIPE, check=False)
            if r.returncode != 0:
                self.skipTest("mmdebstrap could not fetch packages: " + r.stderr.decode()[-200:])
            for words in (("init", "--layout", layout), ("new", "--image", layout + ":latest"),
                          ("raw", "add-layer", "--image", layout + ":latest", self.path("f.tar"))):
                subprocess.run(["umoci", *words], check=True)
        self.measured("--from", "oci:" + layout, "--command", "python3 -c 'print(1)'")
        self.unseal("tree")
        self.same_as_umoci(layout)
        self.measured("--from", "oci:" + layout, "--command", "python3 -c 'print(1)'", "--dir",
                      "/usr/lib/python3", "--dir", "/usr/lib/python3.11")
        b = self.unseal("tree")
        self.assertGreater(len(b.layers), 1)
        self.assertTrue(os.path.exists(self.path("tree", "usr", "bin", "python3.11")))
        self.assertFalse(os.path.exists(self.path("tree", "usr", "share", "doc")))


if __name__ == "__main__":
    unittest.main()
