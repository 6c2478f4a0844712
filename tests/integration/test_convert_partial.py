#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre convert --dir and --plain: what is sealed, what stays outside, and that the host can put
nothing in front of what is sealed. The C library of this machine serves as the image's."""
import ctypes.util
import os
import re
import shutil
import subprocess
import tarfile
import unittest

from convert_util import NACRE, Bundle, ConvertCase, busybox, run, sealing_key, small_layer
from oci_build import Layer


def read(path):
    with open(path, "rb") as f:
        return f.read()


def libraries(program):
    """Name → file, as the dynamic linker of this machine resolves it."""
    out = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode()
    found = dict(re.findall(r"^\s*(\S+) => (/\S+)", out, re.M))
    interpreter = re.search(r"^\s*(/\S*ld-\S+)", out, re.M).group(1)
    return found, interpreter


PROGRAM = shutil.which("bash")
CC = shutil.which("cc")


@unittest.skipIf(PROGRAM is None or shutil.which("ldd") is None, "no bash or no ldd on this machine")
class Partial(ConvertCase):
    def glibc_layer(self, program=PROGRAM):
        """A merged-/usr image with one dynamic program, its libraries and some data."""
        libs, interpreter = libraries(program)
        layer = Layer()
        for d in ("usr", "usr/bin", "usr/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu", "etc", "app",
                  "app/deep", "srv", "tmp"):
            layer.dir(d)
        layer.symlink("bin", "usr/bin").symlink("lib", "usr/lib").symlink("lib64", "usr/lib64")
        layer.add("usr/bin/prog", data=read(program), mode=0o755)
        real = os.path.basename(interpreter)
        layer.add("usr/lib/x86_64-linux-gnu/" + real, data=read(interpreter), mode=0o755)
        layer.symlink("usr/lib64/" + real, "../lib/x86_64-linux-gnu/" + real)
        for name, path in libs.items():
            layer.add("usr/lib/x86_64-linux-gnu/" + name + ".real", data=read(path), mode=0o755)
            layer.symlink("usr/lib/x86_64-linux-gnu/" + name, name + ".real")
        layer.add("etc/nsswitch.conf", data=b"hosts: files dns mymodule [NOTFOUND=return]\n")
        layer.add("etc/motd", data=b"outside-motd\n")
        layer.add("app/main.sh", data=b"#!/bin/prog\necho from the sealed script\n", mode=0o755)
        layer.add("app/deep/data", data=b"sealed-data-1\n" * 100, xattrs={"user.k": "v"})
        layer.add("srv/public", data=b"outside-public-1\n" * 50, mode=0o640, uid=12, gid=34)
        layer.add("srv/" + "n" * 200, data=b"outside-long\n", mtime=1234567890.5)
        layer.add("srv/caf\udce9", data=b"outside-latin1\n")
        layer.hardlink("srv/linked-into-app", "app/deep/data")
        layer.symlink("srv/link", "public")
        return layer, libs, real

    def parts(self, name="out"):
        """Names in the seal (with the opaque ones) and names outside."""
        b = Bundle(self.path(name), self.path(name + "-files"))
        with open(self.path("key"), "w", encoding="ascii") as f:
            f.write(sealing_key(self.read("session.yml")))
        shutil.rmtree(self.path("tree"), ignore_errors=True)
        code, _, err = run(NACRE, "unseal", "--key", self.path("key"), "--out", self.path("tree"),
                           b.files["rootfs.nseal"])
        self.assertEqual(code, 0, err)
        inside = {os.path.relpath(os.path.join(f, n), self.path("tree"))
                  for f, ds, fs in os.walk(self.path("tree")) for n in ds + fs}
        with tarfile.open(b.layers[0]) as tar:
            outside = {m.name: m for m in tar.getmembers()}
        return b, inside, outside

    def test_the_program_and_its_libraries_are_sealed_and_nothing_else(self):
        layer, libs, linker = self.glibc_layer()
        out, err = self.convert_ok("--from", self.source([layer.bytes()]), "--dir", "/app",
                                   "--command", "/app/main.sh")
        self.assertIn("stay outside the seal", err)
        b, inside, outside = self.parts()
        want = {"app/main.sh", "app/deep/data", "bin", "lib64", "usr/bin/prog", "etc/nsswitch.conf",
                "usr/lib/x86_64-linux-gnu/" + linker, "usr/lib64/" + linker}
        for name in libs:
            want |= {"usr/lib/x86_64-linux-gnu/" + name, "usr/lib/x86_64-linux-gnu/" + name + ".real"}
        self.assertEqual(want - inside, set())
        self.assertEqual(want & {n for n, m in outside.items() if not m.isdir()}, set())
        self.assertEqual({"srv/public", "srv/link", "etc/motd", "srv/" + "n" * 200} - set(outside), set())
        self.assertNotIn("srv/public", inside)
        # Another name of a sealed file would show its content.
        self.assertNotIn("srv/linked-into-app", outside)
        self.assertIn("srv/linked-into-app", inside)
        self.assertNotIn("app", outside)
        for layer_path in b.layers:
            self.assertNotIn(b"sealed-data-1", read(layer_path))
        self.assertEqual(b.config["config"]["Labels"]["io.nacre.protection"], "partial")
        # What passes through keeps what it was.
        m = outside["srv/public"]
        self.assertEqual((m.mode, m.uid, m.gid, m.size, m.mtime), (0o640, 12, 34, 850, 1700000000))
        self.assertEqual(outside["srv/" + "n" * 200].mtime, 1234567890.5)
        self.assertIn("srv/caf\udce9", outside)

    def test_names_a_host_could_use_are_sealed_as_absent(self):
        layer, libs, _ = self.glibc_layer()
        self.convert_ok("--from", self.source([layer.bytes()]), "--dir", "/app", "--command",
                        "/app/main.sh")
        _, inside, _ = self.parts()
        absent = {"etc/ld.so.preload", "etc/ld.so.cache", "usr/lib/x86_64-linux-gnu/glibc-hwcaps",
                  "usr/lib/x86_64-linux-gnu/tls", "usr/lib/x86_64-linux-gnu/libnss_mymodule.so.2",
                  "usr/lib/x86_64-linux-gnu/gconv"}
        for name in libs:
            absent.add("usr/lib/" + name)
        for name in absent:
            self.assertIn(name, inside)
            self.assertTrue(os.readlink(self.path("tree", name)).startswith("/.nacre/"), name)
        self.assertEqual(os.listdir(self.path("tree", ".nacre")), [])
        if os.geteuid() == 0:
            self.assertEqual(os.getxattr(self.path("tree", ".nacre"), "trusted.overlay.opaque"), b"y")
            self.assertEqual(os.getxattr(self.path("tree", "app/deep"), "trusted.overlay.opaque"), b"y")
            self.assertRaises(OSError, os.getxattr, self.path("tree", "usr"), "trusted.overlay.opaque")

    def test_plain_directories_stay_outside_and_all_else_does_not(self):
        layer, _, _ = self.glibc_layer()
        self.convert_ok("--from", self.source([layer.bytes()]), "--plain", "/srv", "--command",
                        "/app/main.sh")
        _, inside, outside = self.parts()
        self.assertEqual({n for n, m in outside.items() if not m.isdir()},
                         {"srv/public", "srv/link", "srv/" + "n" * 200, "srv/caf\udce9"})
        self.assertIn("etc/motd", inside)
        self.assertNotIn("srv/public", inside)

    @unittest.skipIf(CC is None, "no C compiler")
    def test_rpath_origin_and_dlopened_dependencies(self):
        def compile_(out, text, *flags):
            src = self.path("x.c")
            with open(src, "w", encoding="ascii") as f:
                f.write(text)
            subprocess.run([CC, "-o", out, src, *flags], check=True)
        compile_(self.path("libinner.so"), "int inner(void){return 1;}", "-shared", "-fPIC",
                 "-Wl,-soname,libinner.so")
        compile_(self.path("libouter.so"), "int inner(void); int outer(void){return inner();}",
                 "-shared", "-fPIC", self.path("libinner.so"), "-Wl,-rpath,$ORIGIN/../private",
                 "-Wl,-soname,libouter.so")
        compile_(self.path("plugin.so"), "int outer(void); int plug(void){return outer();}", "-shared",
                 "-fPIC", self.path("libouter.so"), "-Wl,-rpath,/opt/lib")
        layer, _, _ = self.glibc_layer()
        layer.dir("opt").dir("opt/lib").dir("opt/private")
        layer.add("opt/lib/libouter.so", data=read(self.path("libouter.so")))
        layer.add("opt/private/libinner.so", data=read(self.path("libinner.so")))
        layer.add("opt/private/unrelated", data=b"u")
        layer.add("app/plugin.so", data=read(self.path("plugin.so")))
        self.convert_ok("--from", self.source([layer.bytes()]), "--dir", "/app", "--command", "/bin/prog")
        _, inside, outside = self.parts()
        needed = [n for n in ("opt/lib/libouter.so", "opt/private/libinner.so")]
        for n in needed:
            self.assertIn(n, inside)
            self.assertNotIn(n, outside)
        self.assertIn("opt/private/unrelated", outside)
        self.assertIn("opt/private/libouter.so", inside)  # as absent

    def test_it_runs_and_the_host_changes_nothing(self):
        """Without CAS: the developer mode of `nacre exec` takes the same manifest and both parts."""
        layer, libs, _ = self.glibc_layer()
        self.convert_ok("--from", self.source([layer.bytes()]), "--dir", "/app", "--command",
                        "/app/main.sh")
        b, _, _ = self.parts()
        host = self.path("host")
        with tarfile.open(b.layers[0]) as tar:
            tar.extractall(host, **({"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}))
        planted = {"app/main.sh": b"#!/bin/prog\necho evil script\n", "etc/ld.so.preload": b"/evil.so\n",
                   "usr/bin/prog": b"evil", "evil.so": b"evil"}
        for name in libs:
            planted["usr/lib/" + name] = b"evil"
            planted["usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v2/" + name] = b"evil"
            planted["usr/lib/x86_64-linux-gnu/" + name] = b"evil"
        for name, data in planted.items():
            os.makedirs(os.path.dirname(os.path.join(host, name)), exist_ok=True)
            with open(os.path.join(host, name), "wb") as f:
                f.write(data)
            os.chmod(os.path.join(host, name), 0o755)
        # The same flags with the developer's one, which exec needs to take a key.
        root = subprocess.run([NACRE, "sigstruct", "show", "--json", b.files["sigstruct"]], check=True,
                              stdout=subprocess.PIPE)
        self.assertEqual(root.returncode, 0)
        sealed_root = b.config["config"]["Labels"]["io.nacre.sealed-root"]
        code, _, err = run(NACRE, "manifest", "build", "--host-trusted", "--host-below", "--sealed-root",
                           sealed_root, "--output", self.path("m"))
        self.assertEqual(code, 0, err)
        code, out, err = run("timeout", "-k", "1", "30", NACRE, "exec", "--quiet", "--sealed",
                             b.files["rootfs.nseal"], "--key", self.path("key"), "--root", host,
                             "--manifest", self.path("m"), "--", "/bin/prog", "/app/main.sh",
                             env={"NACRE_MODE": "soft", **self.env})
        self.assertEqual((code, out), (0, "from the sealed script\n"), err)
        code, out, err = run("timeout", "-k", "1", "30", NACRE, "exec", "--quiet", "--sealed",
                             b.files["rootfs.nseal"], "--key", self.path("key"), "--root", host,
                             "--manifest", self.path("m"), "--", "/bin/prog", "-c",
                             "read x < /srv/public; echo $x", env={"NACRE_MODE": "soft", **self.env})
        self.assertEqual((code, out), (0, "outside-public-1\n"), err)

    def test_errors(self):
        source = self.source([self.glibc_layer()[0].bytes()])
        for words, text in ((("--dir", "/nope"), "the image has no /nope"),
                            (("--dir", "app"), "not an absolute path"),
                            (("--plain", "/"), "nothing to seal"),
                            (("--plain", "/nope"), "--plain: the image has no /nope")):
            code, out, err = self.convert("--from", source, "--command", "/bin/prog", *words)
            self.assertEqual((code, out), (1, ""), err)
            self.assertIn(text, err)
            self.assertFalse(os.path.exists(self.path("out")))

    def test_scripts_behind_env_are_followed_and_never_in_circles(self):
        layer = small_layer().dir("usr").dir("usr/bin").hardlink("usr/bin/env", "bin/busybox")
        for name, behind in (("first", "second"), ("second", "sh"), ("round", "about"), ("about", "round")):
            layer.add("bin/" + name, data=b"#!/usr/bin/env %s\n" % behind.encode(), mode=0o755)
        source = self.source([layer.bytes()], config={"Env": ["PATH=/bin"]})
        code, out, err = self.convert("--from", source, "--command", "round", "--dir", "/app")
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("/bin/round in the image is a script of scripts behind env, nested deeper than 4", err)
        self.assertFalse(os.path.exists(self.path("out")))
        self.convert_ok("--from", source, "--command", "first", "--dir", "/app")
        with open(self.path("key"), "w", encoding="ascii") as f:
            f.write(sealing_key(self.read("session.yml")))
        code, _, err = run(NACRE, "unseal", "--key", self.path("key"), "--out", self.path("tree"),
                           self.bundle().files["rootfs.nseal"])
        self.assertEqual(code, 0, err)
        for name in ("first", "second", "sh", "busybox"):
            self.assertTrue(os.path.lexists(self.path("tree", "bin", name)), name)
        self.assertFalse(os.path.lexists(self.path("tree", "bin", "round")))


if __name__ == "__main__":
    unittest.main()
