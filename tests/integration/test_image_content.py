#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What comes out of a sealed image is what umoci unpacks from the same image: every entry's mode,
owner, time, content, attributes and hard-link identity. Runs as root, where owners and devices can
be made; without root or umoci it says so and skips."""
import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
LARGE = 8 << 20


def content_of(path, size):
    """A file's bytes; of a large one its digest."""
    with open(path, "rb") as f:
        if size <= LARGE:
            return f.read()
        digest = hashlib.sha256()
        while piece := f.read(LARGE):
            digest.update(piece)
        return size, digest.hexdigest()


def entries(root):
    """path → everything about it, hard links as the smallest path of their group."""
    found = {}
    groups = {}
    for folder, dirs, files in os.walk(os.fsencode(root)):
        for name in [b""] * (folder == os.fsencode(root)) + dirs + files:
            path = os.path.join(folder, name) if name else folder
            st = os.lstat(path)
            rel = os.path.relpath(path, os.fsencode(root))
            groups.setdefault((st.st_dev, st.st_ino), []).append(rel)
            content = None
            if stat.S_ISLNK(st.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(st.st_mode):
                content = content_of(path, st.st_size)
            attributes = {}
            for key in os.listxattr(path, follow_symlinks=False):
                attributes[key] = os.getxattr(path, key, follow_symlinks=False)
            found[rel] = {
                "mode": oct(st.st_mode), "owner": (st.st_uid, st.st_gid),
                "mtime": st.st_mtime_ns, "xattrs": attributes, "content": content,
                "device": st.st_rdev if not stat.S_ISREG(st.st_mode) else 0,
                "links": st.st_nlink if not stat.S_ISDIR(st.st_mode) else 0}
    for paths in groups.values():
        for p in paths:
            found[p]["same file as"] = min(paths)
    return found


@unittest.skipIf(os.geteuid() != 0, "owners, devices and trusted attributes need root")
@unittest.skipIf(shutil.which("umoci") is None, "umoci is not installed: nothing to compare with")
class Content(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-image-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_ok(self, *words):
        r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(r.returncode, 0, f"{words}\n{r.stderr.decode(errors='replace')}")
        return r.stdout.decode()

    def sealed(self, reference):
        self.run_ok(NACRE, "seal", "--from", reference, "--force", "--key-out", self.path("key"),
                    self.path("sealed"))
        self.run_ok(NACRE, "verify", "--key", self.path("key"), self.path("sealed"))
        self.run_ok(NACRE, "unseal", "--key", self.path("key"), "--out", self.path("ours"),
                    "--erofs", self.path("erofs"), self.path("sealed"))
        return entries(self.path("ours"))

    def reference(self):
        self.run_ok("umoci", "unpack", "--image", self.path("layout") + ":latest",
                    self.path("bundle"))
        return entries(os.path.join(self.path("bundle"), "rootfs"))

    def compare(self, layers, ignore_times=(), **kw):
        oci_build.make(self.path("layout"), layers, **kw)
        ours = self.sealed("oci:" + self.path("layout"))
        theirs = self.reference()
        self.assertEqual(sorted(ours), sorted(theirs))
        for name in theirs:
            if name in ignore_times:
                ours[name]["mtime"] = theirs[name]["mtime"]
            self.assertEqual(ours[name], theirs[name], name)
        if shutil.which("fsck.erofs"):
            self.run_ok("fsck.erofs", self.path("erofs"))
        return ours

    def base(self):
        return (Layer()
                .dir("./", mode=0o755, mtime=1600000000)
                .dir("etc/").add("etc/passwd", data=b"root:x:0:0\n", mode=0o600)
                .dir("etc/conf.d").add("etc/conf.d/a", data=b"a").add("etc/conf.d/b", data=b"b")
                .dir("opt").dir("opt/old").add("opt/old/x", data=b"x").dir("opt/old/deep")
                .add("opt/old/deep/y", data=b"y")
                .dir("usr").dir("usr/lib").add("usr/lib/libc.so", data=b"\x7fELF" * 3000, mode=0o755)
                .symlink("lib", "usr/lib").symlink("abs", "/usr/lib")
                .dir("var", mode=0o1777, uid=33, gid=44)
                .add("var/shared", data=b"s" * 5000, uid=1000, gid=100000)
                .hardlink("var/shared2", "var/shared"))

    def test_every_kind_of_entry(self):
        name = "n" * 250
        layer = (self.base()
                 .add("dev/null", tarfile.CHRTYPE, mode=0o666, dev=(1, 3))
                 .add("dev/big", tarfile.BLKTYPE, mode=0o600, dev=(259, 70000))
                 .add("run/pipe", tarfile.FIFOTYPE, mode=0o600)
                 .add("usr/bin/su", data=b"#!", mode=0o4755)
                 .add("usr/bin/wall", data=b"#!", mode=0o2755)
                 .add(name, data=b"long name")
                 .add("/".join(["d" * 60] * 30) + "/f", data=b"long path")
                 .add("caf\udce9 \udcff", data=b"not UTF-8")
                 .add("日本語", data="ü".encode())
                 .add(" space\nnewline\\", data=b"odd")
                 .add("empty")
                 .add("times", data=b"t", mtime=1234567890.123456789)
                 .add("before-1970", data=b"t", mtime=-86400)
                 .symlink("dangling", "/no/such/place")
                 .symlink("long-link", "t" * 4000)
                 .add("attr", data=b"x", xattrs={"user.one": "1", "user.two": "zwei ü",
                                                 "trusted.three": "3"})
                 .dir("attr-dir", xattrs={"user.d": "dir"})
                 .add("zeros", data=bytes(3 << 20))
                 .add("mixed", data=b"a" + bytes(1 << 20) + b"b" + bytes(300000)))
        # Where the tar lacks a directory umoci leaves the time of the unpacking on it and its parent.
        implicit = [b".", b"usr", b"dev", b"run", b"usr/bin"] + \
                   [b"/".join([b"d" * 60] * n) for n in range(1, 31)]
        self.compare([layer.bytes()], ignore_times=implicit)

    def test_whiteouts_in_every_form(self):
        second = (Layer()
                  .add("etc/.wh.passwd").add(".wh.nothing-of-that-name")
                  .dir("etc/conf.d", mode=0o700, uid=7).add("etc/conf.d/.wh..wh..opq")
                  .add("etc/conf.d/c", data=b"c")
                  .add("opt/.wh.old")
                  .add("var/shared", data=b"new content")
                  .add("no/such/dir/.wh.x"))
        third = (Layer()
                 .dir("opt/old", mode=0o711).add("opt/old/z", data=b"z")
                 .add("etc/passwd", data=b"back\n")
                 .add("etc/conf.d/d", data=b"d"))
        ours = self.compare([self.base().bytes(), second.bytes(), third.bytes()],
                            ignore_times=[b"no", b"no/such", b"no/such/dir", b".", b"etc", b"opt",
                                          b"etc/conf.d"])
        self.assertNotIn(b"opt/old/x", ours)
        self.assertNotIn(b"etc/conf.d/a", ours)
        self.assertEqual(ours[b"var/shared2"]["content"], b"s" * 5000)

    def test_opaque_marker_behind_the_entries_of_its_layer(self):
        second = (Layer().dir("opt").dir("opt/old").add("opt/old/new", data=b"n")
                  .add("opt/old/.wh..wh..opq"))
        ours = self.compare([self.base().bytes(), second.bytes()], ignore_times=[b"opt/old"])
        self.assertEqual([n for n in ours if n.startswith(b"opt/old/")], [b"opt/old/new"])

    def test_replacing_one_kind_by_another(self):
        second = (Layer()
                  .add("opt", data=b"a file where a directory was")
                  .dir("etc/conf.d/a").add("etc/conf.d/a/inside", data=b"i")
                  .symlink("var", "usr").add("usr/lib/libc.so", tarfile.FIFOTYPE))
        self.compare([self.base().bytes(), second.bytes()],
                     ignore_times=[b".", b"etc/conf.d", b"usr/lib"])

    def test_entries_through_symbolic_links_of_lower_layers(self):
        second = (Layer().add("lib/new", data=b"through a relative link")
                  .add("abs/other", data=b"through an absolute link")
                  .hardlink("lib/linked", "lib/libc.so"))
        ours = self.compare([self.base().bytes(), second.bytes()], ignore_times=[b"usr/lib"])
        self.assertIn(b"usr/lib/new", ours)
        self.assertIn(b"usr/lib/other", ours)
        self.assertEqual(ours[b"usr/lib/linked"]["same file as"], b"usr/lib/libc.so")

    def test_hard_links_across_layers(self):
        second = (Layer().hardlink("etc/hard", "var/shared")
                  .add("var/shared2", data=b"own copy now"))
        third = Layer().add("var/.wh.shared")
        ours = self.compare([self.base().bytes(), second.bytes(), third.bytes()],
                            ignore_times=[b"etc", b"var"])
        self.assertEqual(ours[b"etc/hard"]["content"], b"s" * 5000)
        self.assertEqual(ours[b"etc/hard"]["links"], 1)

    def test_directory_attributes_are_replaced_not_merged(self):
        first = Layer().dir("d", mode=0o755, xattrs={"user.a": "1", "user.b": "2"})
        first.add("d/f", data=b"f")
        second = Layer().dir("d", mode=0o500, uid=5, xattrs={"user.b": "3"})
        self.compare([first.bytes(), second.bytes()], ignore_times=[b"."])

    def test_formats_of_tar(self):
        for fmt in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT):
            with self.subTest(format=fmt):
                layer = Layer(fmt).dir("d").add("d/" + "a" * 90, data=b"x" * 1000, uid=1000)
                layer.add("d/" + "b" * 60 + "/" + "c" * 60, data=b"y")
                layer.symlink("l", "d/" + "a" * 90)
                self.dir = tempfile.mkdtemp(prefix="nacre-test-image-")
                self.addCleanup(shutil.rmtree, self.dir)
                self.compare([layer.bytes()], ignore_times=[b".", b"d", b"d/" + b"b" * 60])

    def gnu_tar(self, *options):
        tree = self.path("tree")
        if not os.path.isdir(tree):
            os.mkdir(tree)
            with open(os.path.join(tree, "sparse"), "wb") as f:
                for at in range(0, 3 << 20, 1 << 18):
                    f.seek(at)
                    f.write(b"data at %d" % at)
                f.truncate((3 << 20) + 17)
            with open(os.path.join(tree, "hole"), "wb") as f:
                f.truncate(1 << 20)
        out = self.path("tree.tar")
        self.run_ok("tar", "-C", tree, "--sort=name", *options, "-cf", out, ".")
        with open(out, "rb") as f:
            return f.read()

    def test_sparse_files_in_every_gnu_format(self):
        plain = None
        for options in (["--format=gnu"], ["--format=gnu", "-S"],
                        ["--format=pax", "-S", "--sparse-version=0.0"],
                        ["--format=pax", "-S", "--sparse-version=0.1"],
                        ["--format=pax", "-S", "--sparse-version=1.0"]):
            with self.subTest(options=options):
                data = self.gnu_tar(*options)
                oci_build.make(self.path("layout"), [data])
                ours = self.sealed("oci:" + self.path("layout"))
                content = {k: v["content"] for k, v in ours.items()}
                plain = plain or content
                self.assertEqual(content, plain)
                self.assertLess(os.path.getsize(self.path("sealed")), 300000)
                for name in ("ours", "layout"):
                    shutil.rmtree(self.path(name))


if __name__ == "__main__":
    unittest.main(verbosity=2)
