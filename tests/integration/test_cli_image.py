#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre seal, unseal, verify and mount as people run them: every source, reproducible bits, every
position class of a sealed image changed, hostile and broken images, exit codes, nothing left over."""
import gzip
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import time
import unittest

import oci_build
from oci_build import Layer, Layout

NACRE = os.environ["NACRE"]
OK, FAILED, USAGE, REFUSED, UNSUPPORTED = 0, 1, 2, 3, 4
BLOCK = 4096


def small():
    return (Layer().dir("etc").add("etc/secret-name", data=b"very secret content " * 500)
            .add("bin/tool", data=os.urandom(20000), mode=0o755).bytes())


class Base(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-seal-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def nacre(self, code, *words, env=None):
        r = subprocess.run([NACRE, *words], cwd=self.dir, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False, env={**os.environ, **(env or {})})
        r.stderr = r.stderr.decode(errors="replace")
        r.stdout = r.stdout.decode()
        self.assertEqual(r.returncode, code, f"nacre {' '.join(words)}\n{r.stdout}{r.stderr}")
        return r

    def seal(self, code=OK, source="oci:layout", out="sealed", more=()):
        return self.nacre(code, "seal", "--from", source, "--key-out", "key", "--force", *more, out)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)


class Sources(Base):
    def unsealed(self, source):
        self.seal(source=source)
        shutil.rmtree(self.path("tree"), ignore_errors=True)
        self.nacre(OK, "unseal", "--key", "key", "--out", "tree", "sealed")
        return self.read("tree/etc/secret-name")

    def test_every_local_form_gives_the_same_files(self):
        layer = small()
        want = b"very secret content " * 500
        oci_build.make(self.path("layout"), [layer])
        self.assertEqual(self.unsealed("oci:layout"), want)
        self.assertEqual(self.unsealed("oci:layout:latest"), want)
        with tarfile.open(self.path("a.tar"), "w") as t:
            t.add(self.path("layout"), arcname=".")
        self.assertEqual(self.unsealed("oci-archive:a.tar"), want)
        self.assertEqual(self.unsealed("oci-archive:a.tar:latest"), want)
        oci_build.make(self.path("plain"), [layer], compress="none")
        self.assertEqual(self.unsealed("oci:plain"), want)
        self.docker_archive("d.tar", layer)
        self.assertEqual(self.unsealed("docker-archive:d.tar"), want)
        self.assertEqual(self.unsealed("docker-archive:d.tar:app:1"), want)

    def docker_archive(self, name, layer, layer_member="1/layer.tar"):
        config = json.dumps({"architecture": "amd64", "os": "linux",
                             "rootfs": {"diff_ids": [oci_build.digest(layer)]}}).encode()
        manifest = json.dumps([{"Config": "c.json", "RepoTags": ["app:1"],
                                "Layers": [layer_member]}]).encode()
        outer = Layer().add("c.json", data=config).add("manifest.json", data=manifest)
        outer.add("0/layer.tar", data=layer).symlink("1/layer.tar", "../0/layer.tar")
        self.write(name, outer.bytes())

    def test_docker_archive_member_that_is_missing_or_loops(self):
        self.docker_archive("d.tar", small(), "2/layer.tar")
        self.assertIn("has no member 2/layer.tar", self.seal(FAILED, "docker-archive:d.tar").stderr)
        outer = Layer().symlink("a", "b").symlink("b", "a")
        outer.add("c.json", data=b"{}")
        outer.add("manifest.json", data=b'[{"Config":"c.json","Layers":["a"]}]')
        self.write("e.tar", outer.bytes())
        self.assertIn("no member a", self.seal(FAILED, "docker-archive:e.tar").stderr)

    def test_compressed_archive_says_what_to_do(self):
        self.docker_archive("d.tar", small())
        self.write("d.tar.gz", gzip.compress(self.read("d.tar")))
        self.assertIn("unpack it first", self.seal(FAILED, "docker-archive:d.tar.gz").stderr)

    @unittest.skipIf(shutil.which("skopeo") is None, "skopeo is not installed")
    def test_zstd_layers_and_docker_archives_of_skopeo(self):
        oci_build.make(self.path("layout"), [small()])
        want = b"very secret content " * 500
        for target, extra in (("oci:zstd:latest", ["--dest-compress-format", "zstd",
                                                   "--dest-compress"]),
                              ("docker-archive:skopeo.tar:app:2", [])):
            subprocess.run(["skopeo", "copy", "-q", *extra, "oci:layout:latest", target],
                           cwd=self.dir, check=True)
            self.assertEqual(self.unsealed(target), want)

    def test_multi_platform_index_gives_the_amd64_image(self):
        layout = Layout(self.path("layout"))
        other = layout.image([Layer().add("x").bytes()], tag=None, arch="arm64",
                             platform={"os": "linux", "architecture": "arm64"})
        attestation = dict(other, platform={"os": "unknown", "architecture": "unknown"})
        ours = layout.image([small()], tag=None,
                            platform={"os": "linux", "architecture": "amd64"})
        layout.nest([other, attestation, ours])
        layout.finish()
        self.assertTrue(self.unsealed("oci:layout"))
        layout.nest([other, attestation])
        layout.finish()
        self.assertIn("no variant for linux/amd64", self.seal(FAILED).stderr)

    def test_several_images_want_a_tag(self):
        layout = Layout(self.path("layout"))
        layout.image([small()], tag="one")
        layout.image([Layer().add("two").bytes()], tag="two")
        layout.finish()
        self.assertIn("name one", self.seal(FAILED).stderr)
        self.assertIn("no linux/amd64 image tagged 'three'",
                      self.seal(FAILED, "oci:layout:three").stderr)
        self.assertTrue(self.unsealed("oci:layout:one"))

    def test_unknown_sources_are_explained(self):
        self.assertIn("names no image source", self.seal(FAILED, "nginx").stderr)
        self.assertIn("cannot open missing", self.seal(FAILED, "oci:missing").stderr)
        self.assertIn("skopeo, which is not installed",
                      self.nacre(FAILED, "seal", "--from", "docker-daemon:x:y", "--key-out", "key",
                                 "sealed", env={"PATH": self.dir}).stderr)


class Bits(Base):
    def test_same_image_master_key_and_salt_give_the_same_bits(self):
        oci_build.make(self.path("layout"), [small()])
        self.write("master", b"M" * 32)
        more = ["--master-key", "master", "--salt", "5a" * 32]
        a = self.seal(out="a", more=more).stdout
        key = self.read("key")
        b = self.seal(out="b", more=more).stdout
        self.assertEqual((a, key, self.read("a")), (b, self.read("key"), self.read("b")))
        self.assertNotEqual(a, self.seal(out="c", more=["--master-key", "master"]).stdout)
        self.assertNotEqual(key, self.read("key"))

    def test_key_file_is_private_and_image_shows_nothing(self):
        oci_build.make(self.path("layout"), [small()])
        r = self.seal(more=["--json"])
        report = json.loads(r.stdout)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("key")).st_mode), 0o600)
        key = self.read("key").decode().strip()
        self.assertNotIn(key, r.stdout + r.stderr)
        data = self.read("sealed")
        self.assertEqual(len(data) % BLOCK, 0)
        for clue in (b"secret", b"etc", b"tool", bytes.fromhex(key),
                     report["source"][7:].encode(), bytes.fromhex(report["source"][7:])):
            self.assertNotIn(clue, data)

    def test_every_position_class_changed_is_refused(self):
        oci_build.make(self.path("layout"), [small()])
        root = self.seal().stdout.strip()
        data = self.read("sealed")
        blocks = len(data) // BLOCK - 3
        places = {"superblock magic": (0, "no NSEAL magic", REFUSED),
                  "version": (8, "version", UNSUPPORTED),
                  "counts": (16, "wrong length or counts", REFUSED),
                  "salt": (50, "superblock that was changed", REFUSED),
                  "key id": (80, "another key", REFUSED),
                  "tree root": (100, "superblock that was changed", REFUSED),
                  "mac": (130, "superblock that was changed", REFUSED),
                  "reserved": (4000, "version or algorithm", UNSUPPORTED),
                  "first block": (BLOCK, "data block that was changed (at byte 4096)", REFUSED),
                  "last block": (BLOCK * blocks, "data block", REFUSED),
                  "tag": (BLOCK * (blocks + 1), "tag page that was changed", REFUSED),
                  "unused tag": (BLOCK * (blocks + 2) - 1, "tag page", REFUSED),
                  "tree": (BLOCK * (blocks + 2), "hash-tree page", REFUSED)}
        for what, (at, message, code) in places.items():
            with self.subTest(what=what):
                bad = bytearray(data)
                bad[at] ^= 0x10
                self.write("bad", bad)
                self.assertIn(message, self.nacre(code, "verify", "--key", "key", "bad").stderr)
                self.nacre(code, "unseal", "--key", "key", "--out", "out", "bad")
                self.nacre(code, "unseal", "--key", "key", "--erofs", "out", "bad")
                self.assertEqual(sorted(os.listdir(self.dir)), ["bad", "key", "layout", "sealed"])
        for length in (0, 1, BLOCK, len(data) - BLOCK, len(data) - 1, len(data) + 1):
            with self.subTest(length=length):
                self.write("bad", (data + b"\0")[:length])
                self.nacre(REFUSED, "verify", "--key", "key", "bad")
                self.nacre(REFUSED, "verify", "--root", root, "bad")
        self.nacre(OK, "verify", "--key", "key", "--root", root, "sealed")

    def test_another_image_or_key_is_refused(self):
        oci_build.make(self.path("layout"), [small()])
        root = self.seal(out="a").stdout.strip()
        os.rename(self.path("key"), self.path("key-a"))
        self.seal(out="b")
        self.assertIn("another key", self.nacre(REFUSED, "verify", "--key", "key-a", "b").stderr)
        self.assertIn("not the pinned image",
                      self.nacre(REFUSED, "verify", "--root", root, "b").stderr)
        a, b = self.read("a"), self.read("b")
        self.assertEqual(len(a), len(b))
        self.write("c", a[:BLOCK * 2] + b[BLOCK * 2:])
        self.nacre(REFUSED, "verify", "--key", "key-a", "c")
        self.write("c", b[:BLOCK] + a[BLOCK:])
        self.nacre(REFUSED, "verify", "--key", "key-a", "c")
        report = json.loads(self.nacre(OK, "verify", "--json", "--key", "key-a", "a").stdout)
        self.assertEqual(report["sealed_root"], root)
        self.assertTrue(report["content_checked"])
        self.assertIn("not checked", self.nacre(OK, "verify", "--root", root, "a").stdout)


class Hostile(Base):
    """Every refusal names the reason and leaves neither image nor key behind."""

    def refused(self, layers, message, code=REFUSED, **kw):
        shutil.rmtree(self.path("layout"), ignore_errors=True)
        oci_build.make(self.path("layout"), layers, **kw)
        r = self.seal(code)
        self.assertIn(message, r.stderr)
        self.assertEqual(os.listdir(self.dir), ["layout"])
        self.assertNotIn("\x1b", r.stderr)

    def test_paths_that_leave_the_image(self):
        out = "refused"
        for name in ("../x", "a/../../x", "a/..", ".."):
            with self.subTest(name=name):
                self.refused([Layer().add(name, data=b"x").bytes()], out, FAILED)
        self.refused([Layer().symlink("a", "../../..").add("a/etc/passwd").bytes()],
                     "leaves the image", FAILED)
        self.refused([Layer().symlink("a", "b/../../x").dir("b").add("a/y").bytes()],
                     "leaves the image", FAILED)
        self.refused([Layer().hardlink("a", "../../etc/passwd").bytes()], out, FAILED)
        self.refused([Layer().hardlink("a", "/etc/passwd").bytes()], "does not have", FAILED)
        self.refused([Layer().symlink("a", "b").symlink("b", "a").add("a/x").bytes()],
                     "too many symbolic links", FAILED)

    def test_absolute_names_mean_the_image(self):
        oci_build.make(self.path("layout"), [Layer().add("/abs", data=b"inside").bytes()])
        self.seal()
        self.nacre(OK, "unseal", "--key", "key", "--out", "out", "sealed")
        self.assertEqual(self.read("out/abs"), b"inside")

    def test_names_and_links_that_are_too_long(self):
        self.refused([Layer().add("n" * 256).bytes()], "longer than 255", FAILED)
        self.refused([Layer().add("d/" * 2100 + "f").bytes()], "bad value for 'path'")
        self.refused([Layer().add("d/" * 600 + "f").bytes()], "too deep", FAILED)
        self.refused([Layer().symlink("l", "t" * 4096).bytes()], "bad value for 'linkpath'")

    def test_things_that_cannot_be(self):
        self.refused([Layer().dir("d").hardlink("h", "d").bytes()], "to a directory", FAILED)
        self.refused([Layer().add("./", data=b"").bytes()], "root directory")
        self.refused([Layer().add("f").add("f/below").bytes()], "no directory", FAILED)
        self.refused([Layer().add("d/.wh.").bytes()], "whiteout without a name")
        self.refused([Layer().symlink("s", "").bytes()], "bad target")
        self.refused([Layer().add("\x1b[31mred/../x").bytes()], "\\x1b[31mred", FAILED)

    def test_broken_tar(self):
        good = small()
        self.refused([good[:700]], "cut off")
        self.refused([good[:20] + b"X" + good[21:]], "checksum")
        self.refused([b"not a tar at all" * 100], "checksum")

    def test_broken_compression(self):
        layout = Layout(self.path("layout"))
        layout.image([small()])
        layout.finish()
        blobs = self.path("layout", "blobs", "sha256")
        blob = max((os.path.join(blobs, b) for b in os.listdir(blobs)), key=os.path.getsize)
        data = self.read(blob)
        for bad in (data[:5000], data[:5000] + b"\0" * 50 + data[5050:], data[:-8] + b"\0" * 8):
            with self.subTest(size=len(bad)):
                self.write(blob, bad)
                r = self.seal(REFUSED)
                self.assertRegex(r.stderr, "descriptor says|damaged|was promised|cut off")
        self.assertEqual(os.listdir(self.dir), ["layout"])

    def test_wrong_digests(self):
        layout = Layout(self.path("layout"))
        layout.image([small()], compress="none")
        layout.finish()
        blobs = self.path("layout", "blobs", "sha256")
        blob = max((os.path.join(blobs, b) for b in os.listdir(blobs)), key=os.path.getsize)
        data = bytearray(self.read(blob))
        data[-1] ^= 1  # in the padding behind the archive's end
        self.write(blob, data)
        self.assertIn("was promised", self.seal(REFUSED).stderr)
        self.refused([small()], "the unpacked layer is sha256:", diff_ids=["sha256:" + "0" * 64])
        self.refused([small()], "configuration names 2 layers", diff_ids=["sha256:" + "0" * 64] * 2)
        self.refused([small()], "only sha256", FAILED, diff_ids=["sha512:" + "0" * 128])
        self.refused([small()], "is malformed", diff_ids=["sha256:../../etc/passwd"])

    def test_changed_manifest_is_noticed(self):
        layout = Layout(self.path("layout"))
        entry = layout.image([small()])
        layout.finish()
        name = self.path("layout", "blobs", "sha256", entry["digest"][7:])
        self.write(name, self.read(name) + b" ")
        self.assertIn("does not match its digest", self.seal(REFUSED).stderr)

    def test_wrong_architecture(self):
        self.refused([small()], "linux/arm64; nacre needs linux/amd64", FAILED, arch="arm64")

    def test_bombs(self):
        oci_build.make(self.path("layout"), [Layer().add("zero", data=bytes(64 << 20)).bytes()])
        self.assertIn("more than the size allowed",
                      self.seal(FAILED, more=["--max-size", "32M"]).stderr)
        self.assertFalse(os.path.exists(self.path("sealed")))
        self.seal(more=["--max-size", "65M"])
        self.assertLess(os.path.getsize(self.path("sealed")), 100000)

    @unittest.skipIf(os.geteuid() != 0, "mounting a small tmpfs needs root")
    def test_full_disk(self):
        oci_build.make(self.path("layout"), [small()])
        os.mkdir(self.path("full"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "none", self.path("full")],
                       check=True)
        try:
            r = self.nacre(FAILED, "seal", "--from", "oci:layout", "--key-out", "key", "full/out")
            self.assertIn("No space left", r.stderr)
            self.assertEqual(os.listdir(self.path("full")), [])
        finally:
            subprocess.run(["umount", self.path("full")], check=True)
        self.assertFalse(os.path.exists(self.path("key")))

    def test_unwritable_key_leaves_no_image(self):
        oci_build.make(self.path("layout"), [small()])
        self.nacre(FAILED, "seal", "--from", "oci:layout", "--key-out", "no/such/key", "sealed")
        self.assertEqual(os.listdir(self.dir), ["layout"])

    def test_existing_key_is_kept_unless_forced(self):
        oci_build.make(self.path("layout"), [small()])
        words = ["seal", "--from", "oci:layout", "--key-out", "key"]
        self.nacre(OK, *words, "a")
        key = self.read("key")
        self.assertIn("exists already", self.nacre(FAILED, *words, "b").stderr)
        self.assertEqual((key, sorted(os.listdir(self.dir))),
                         (self.read("key"), ["a", "key", "layout"]))
        self.nacre(OK, *words, "--force", "b")
        self.assertNotEqual(key, self.read("key"))
        self.nacre(OK, "verify", "--key", "key", "b")

    def test_image_that_cannot_be_named_leaves_no_key(self):
        oci_build.make(self.path("layout"), [small()])
        os.mkdir(self.path("taken"))
        self.seal(FAILED, out="taken")
        self.assertEqual(sorted(os.listdir(self.dir)), ["layout", "taken"])

    def test_killed_conversion_leaves_nothing(self):
        oci_build.make(self.path("layout"),
                       [Layer().add("big", data=os.urandom(60 << 20)).bytes()], compress="none")
        for delay in (0.02, 0.06, 0.12):
            p = subprocess.Popen([NACRE, "seal", "--from", "oci:layout", "--key-out", "key",
                                  "sealed"], cwd=self.dir, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            time.sleep(delay)
            p.kill()
            if p.wait() == -9:
                self.assertEqual([n for n in os.listdir(self.dir) if n == "sealed"], [])

    def test_bad_command_lines(self):
        self.nacre(USAGE, "seal", "out")
        self.nacre(USAGE, "seal", "--from", "oci:layout", "out")
        self.nacre(USAGE, "unseal", "--key", "key", "image")
        self.nacre(USAGE, "verify", "image")
        self.nacre(USAGE, "verify", "--root", "12", "image")
        self.write("short", b"abc")
        self.assertIn("is no key", self.nacre(FAILED, "verify", "--key", "short", "x").stderr)


@unittest.skipIf(not os.path.exists("/dev/fuse"), "no /dev/fuse here")
@unittest.skipIf(shutil.which("fusermount3") is None and os.geteuid() != 0,
                 "fusermount3 is not installed and this is not root")
class Mount(Base):
    def test_mounted_image_shows_the_files_and_changed_blocks_are_errors(self):
        content = os.urandom(3 << 20)
        layer = (Layer().dir("d").add("d/file", data=content, uid=12, mtime=1234567890.5)
                 .symlink("d/link", "file").add("attr", data=b"x", xattrs={"user.k": "v"}))
        for i in range(500):
            layer.add(f"many/name-{i}", data=b"%d" % i)
        oci_build.make(self.path("layout"), [layer.bytes()])
        self.seal()
        os.mkdir(self.path("mnt"))
        self.nacre(OK, "mount", "--key", "key", "sealed", "mnt")
        try:
            self.assertEqual(self.read("mnt/d/file"), content)
            st = os.stat(self.path("mnt/d/file"))
            self.assertEqual((st.st_uid, st.st_mtime_ns), (12, 1234567890500000000))
            self.assertEqual(os.readlink(self.path("mnt/d/link")), "file")
            self.assertEqual(os.getxattr(self.path("mnt/attr"), "user.k"), b"v")
            self.assertEqual(len(os.listdir(self.path("mnt/many"))), 500)
            self.assertEqual(self.read("mnt/many/name-77"), b"77")
            self.assertFalse(os.path.exists(self.path("mnt/no")))
            with self.assertRaises(OSError):
                self.write("mnt/new", b"x")
        finally:
            subprocess.run(["umount", self.path("mnt")], check=True)
        data = bytearray(self.read("sealed"))
        at = len(data) - 3 * BLOCK  # the last data block: of d/file or of a name
        data[at - 20 * BLOCK] ^= 1
        self.write("sealed", data)
        self.nacre(OK, "mount", "--key", "key", "sealed", "mnt")
        try:
            with self.assertRaises(OSError):
                self.read("mnt/d/file")
        finally:
            subprocess.run(["umount", self.path("mnt")], check=True)
        self.nacre(REFUSED, "mount", "--key", "key", "--root", "00" * 32, "sealed", "mnt")


if __name__ == "__main__":
    unittest.main(verbosity=2)
