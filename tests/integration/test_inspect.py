#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre inspect and nacre diff: a converted image with one thing changed in each class of bytes it
has, layers and digests made right again around it, as somebody who owns the registry would."""
import io
import json
import os
import shutil
import struct
import tarfile
import unittest

import oci_build
from convert_util import NACRE, Bundle, ConvertCase, run, sealing_key

PAGE = 4096


class Inspect(ConvertCase):
    def setUp(self):
        super().setUp()
        self.source_ref = self.source()
        self.convert_ok("--from", self.source_ref, "--command", "/bin/sh", "--namespace", "n", "--name",
                        "x", "--allow-env", "LANG", "--host-path", "/data:rw")
        self.original = self.bundle()
        with open(self.path("key"), "w", encoding="ascii") as f:
            f.write(sealing_key(self.read("session.yml")))

    def content(self, name):
        with open(self.original.files[name], "rb") as f:
            return f.read()

    def rebuilt(self, changes, config=None):
        """The image with files of the bundle replaced, and everything around them consistent."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for m in self.original.members:
                name = os.path.basename(m.name)
                data = changes.get(name, self.content(name)) if m.isfile() else b""
                if data is None:
                    continue
                m.size = len(data)
                tar.addfile(m, io.BytesIO(data))
        shutil.rmtree(self.path("twin"), ignore_errors=True)
        oci_build.make(self.path("twin"), [buffer.getvalue()],
                       config=config or self.original.config["config"])
        return "oci:" + self.path("twin")

    def inspect(self, reference, *words):
        return run(NACRE, "inspect", *words, reference, env=self.env)

    def test_an_intact_image(self):
        code, out, err = self.inspect(self.rebuilt({}), "--json", "--key", self.path("key"))
        self.assertEqual(code, 0, err)
        facts = json.loads(out)
        self.assertEqual(set(facts["checks"].values()), {True})
        self.assertEqual(facts["host_environment"], ["LANG"])
        self.assertEqual(facts["host_paths"], [{"path": "/data", "writable": True}])
        self.assertEqual(facts["config_id"], "n/x/service")
        self.assertEqual(facts["mrenclave"], self.session()["services"][0]["mrenclaves"][0])
        code, out, _ = self.inspect("oci:" + self.path("out"), "--mrenclave")
        self.assertEqual((code, out.strip()), (0, facts["mrenclave"]))
        code, out, _ = self.inspect("oci:" + self.path("out"))
        self.assertTrue(out.startswith("partly sealed"), out)  # --host-path

    def classes(self):
        """(class, file, offset, check that fails, words)"""
        seal = self.content("rootfs.nseal")
        blocks, tags, tree = struct.unpack_from("<QQQ", seal, 16)
        tag_at = PAGE * (1 + blocks)
        tree_at = tag_at + PAGE * tags
        self.assertEqual(len(seal), tree_at + PAGE * tree)
        libos = self.content("libos.elf")
        phoff = struct.unpack_from("<Q", libos, 32)[0]
        load = next(struct.unpack_from("<Q", libos, phoff + 56 * i + 8)[0]
                    for i in range(struct.unpack_from("<H", libos, 56)[0])
                    if struct.unpack_from("<II", libos, phoff + 56 * i) == (1, 5))
        yield from [
            ("superblock magic", "rootfs.nseal", 1, "sealed image", "is not a sealed image"),
            ("superblock version", "rootfs.nseal", 8, "sealed image", "version or algorithm"),
            ("superblock block count", "rootfs.nseal", 16, "sealed image", "wrong length"),
            ("superblock salt", "rootfs.nseal", 48, "sealed image", "not the pinned image"),
            ("superblock key id", "rootfs.nseal", 80, "sealed image", "another key"),
            ("superblock tree root", "rootfs.nseal", 96, "sealed image", "superblock that was changed"),
            ("superblock mac", "rootfs.nseal", 130, "sealed image", "superblock that was changed"),
            ("superblock reserved", "rootfs.nseal", 3000, "sealed image", "version or algorithm"),
            ("first data block", "rootfs.nseal", PAGE + 7, "blocks", "data block that was changed"),
            ("last data block", "rootfs.nseal", tag_at - 1, "blocks", "data block that was changed"),
            ("tags", "rootfs.nseal", tag_at + 16 * (blocks - 1), "sealed image", "tag page that was changed"),
            ("tag padding", "rootfs.nseal", tree_at - 1, "sealed image", "tag page that was changed"),
            ("tree", "rootfs.nseal", tree_at, "sealed image", "hash-tree page that was changed"),
            ("tree padding", "rootfs.nseal", len(seal) - 1, "sealed image", "hash-tree page that was changed"),
            ("manifest sealed root", "manifest", 24, "measurement", "another enclave or manifest"),
            ("manifest agent", "manifest", 56, "measurement", "another enclave or manifest"),
            ("manifest CAS key", "manifest", 88, "measurement", "another enclave or manifest"),
            ("manifest session", "manifest", 152, "measurement", "another enclave or manifest"),
            ("manifest name", "manifest", 224, "measurement", "another enclave or manifest"),
            ("SIGSTRUCT date", "sigstruct", 20, "signature", "SIGSTRUCT"),
            ("SIGSTRUCT modulus", "sigstruct", 200, "signature", "SIGSTRUCT"),
            ("SIGSTRUCT signature", "sigstruct", 600, "signature", "SIGSTRUCT.SIGNATURE"),
            ("SIGSTRUCT measurement", "sigstruct", 960, "signature", "SIGSTRUCT"),
            ("SIGSTRUCT q2", "sigstruct", 1500, "signature", "SIGSTRUCT"),
            ("enclave code", "libos.elf", load + 4000, "measurement", "another enclave or manifest"),
            ("agent", "agent", 100000, "agent", "not the measured one"),
        ]

    def test_a_flipped_bit_of_every_class(self):
        key = ["--key", self.path("key")]
        for what, name, at, check, words in self.classes():
            with self.subTest(what=what):
                data = bytearray(self.content(name))
                data[at] ^= 1
                reference = self.rebuilt({name: bytes(data)})
                # Without the key, but for the blocks themselves.
                if what in ("superblock salt", "tags", "tree", "agent"):
                    code, out, err = self.inspect(reference)
                    self.assertEqual(code, 3, out + err)
                code, out, err = self.inspect(reference, *key)
                self.assertEqual(code, 3, out + err)
                self.assertTrue(out.startswith("BROKEN"), out + err)
                line = next((s for s in out.splitlines() if s.startswith(check)), "")
                self.assertIn("BAD", line, out)
                if what not in ("superblock salt", "superblock key id", "superblock tree root",
                                "superblock mac"):  # which of these shows first depends on the key
                    self.assertIn(words, line)

    def test_lengths_and_exchanged_pieces(self):
        seal = self.content("rootfs.nseal")
        swapped = (seal[:PAGE] + seal[2 * PAGE:3 * PAGE] + seal[PAGE:2 * PAGE] + seal[3 * PAGE:])
        self.convert_ok("--from", self.source_ref, "--command", "/bin/sh", "--namespace", "n", "--name",
                        "x", to="oci:" + self.path("other"), session="other.yml")
        other = Bundle(self.path("other"), self.path("other-files"))

        def others(name):
            with open(other.files[name], "rb") as f:
                return f.read()
        for what, changes, check in (
                ("truncated", {"rootfs.nseal": seal[:-PAGE]}, "sealed image"),
                ("truncated to nothing", {"rootfs.nseal": b""}, "sealed image"),
                ("extended", {"rootfs.nseal": seal + bytes(PAGE)}, "sealed image"),
                ("blocks swapped", {"rootfs.nseal": swapped}, "blocks"),
                ("another image's blob", {"rootfs.nseal": others("rootfs.nseal")}, "sealed image"),
                ("another image's signature", {"sigstruct": others("sigstruct")}, "measurement"),
                ("another image's manifest", {"manifest": others("manifest")}, "measurement"),
                ("no agent", {"agent": None}, "agent"),
                ("no sealed image", {"rootfs.nseal": None}, "sealed image")):
            with self.subTest(what=what):
                code, out, err = self.inspect(self.rebuilt(changes), "--key", self.path("key"))
                self.assertEqual(code, 3, out + err)
                self.assertIn("BAD", next(s for s in out.splitlines() if s.startswith(check)), out)

    def test_what_cannot_be_read_at_all(self):
        for changes, words in (({"manifest": None}, "no /nacre/manifest"),
                               ({"libos.elf": None}, "no /nacre/libos.elf"),
                               ({"manifest": b"x" * 300}, "manifest is malformed"),
                               ({"manifest": self.content("manifest")[:-1]}, "manifest is malformed"),
                               ({"sigstruct": self.content("sigstruct")[:-1]}, "SIGSTRUCT")):
            code, out, err = self.inspect(self.rebuilt(changes))
            self.assertIn(code, (1, 3), out)
            self.assertEqual(out, "")
            self.assertIn(words, err)
        code, out, err = self.inspect(self.source_ref)
        self.assertEqual(code, 1)
        self.assertIn("not made by nacre convert", err)

    def test_another_session_in_the_environment(self):
        config = dict(self.original.config["config"], Env=["NACRE_CONFIG_ID=n/y/service"])
        code, out, err = self.inspect(self.rebuilt({}, config=config))
        self.assertEqual(code, 3, err)
        self.assertIn("another session", out)

    def diff(self, a, b, *words):
        return run(NACRE, "diff", *words, "oci:" + self.path(a), "oci:" + self.path(b), env=self.env)

    def test_diff_names_what_differs(self):
        code, out, _ = self.diff("out", "out")
        self.assertEqual((code, out), (0, "the same measurement\n"))
        base = ["--from", self.source_ref, "--command", "/bin/sh", "--namespace", "n"]
        with open(self.path("master"), "w", encoding="ascii") as f:
            f.write("55" * 32)
        fixed = base + ["--master-key", self.path("master"), "--name", "x"]
        for n, (more, pin, want) in enumerate((
                ([], "ab" * 32, set()),
                (["--allow-env", "LANG"], "ab" * 32, {"host environment"}),
                (["--host-path", "/data"], "ab" * 32, {"host paths"}),
                ([], "cd" * 32, {"CAS key"}),
                (["--name", "y"], "ab" * 32, {"session"}),
                (["--salt", "11" * 32], "ab" * 32, {"sealed root"}),
                (["--dir", "/app"], "ab" * 32, {"sealed root", "flags"}))):
            with self.subTest(more=more):
                self.convert_ok(*fixed, *more, to="oci:" + self.path(f"d{n}"), session=f"d{n}.yml",
                                pin=pin)
                code, out, err = self.diff("d0", f"d{n}", "--json")
                d = json.loads(out)
                self.assertEqual({x["what"] for x in d["differences"] if x["measured"]}, want, out)
                self.assertEqual((code, d["same_measurement"]), (3 if want else 0, not want), err)
        # The command is in the session and not in the measurement.
        self.convert_ok(*fixed, "--command", "/bin/echo", to="oci:" + self.path("dc"), session="dc.yml")
        self.assertEqual(self.diff("d0", "dc")[0], 0)
        shutil.rmtree(self.path("state"))  # another signing key
        self.convert_ok(*fixed, to="oci:" + self.path("ds"), session="ds.yml")
        code, out, _ = self.diff("d0", "ds")
        self.assertEqual(code, 0)
        self.assertIn("not measured, but different: signer", out)


if __name__ == "__main__":
    unittest.main()
