#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre exec with what cannot run: broken programs, loops, missing pieces, too little memory, too few threads.

Always an error that says what is wrong, or what the program itself would do; never a hang, never a
failure of the library OS, never a start of something that is not a program.
"""
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
HELLO = os.environ["BENCH_HELLO"]
LIMITS = os.environ["LIMIT_OPS"]
SECONDS = 60
NOT_STARTED = (126, 127)  # as a shell says it: cannot be run, is not there
FLIPS = 60


def run(*argv, options=()):
    return subprocess.run([NACRE, "exec", "--quiet", *options, "--", *argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)


def interp_program(interp):
    """A small ELF whose interpreter is `interp`."""
    name = interp.encode() + b"\0"
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1" + b"\0" * 9, 2, 62, 1, 0x400000 + 200, 64, 0, 0,
                         64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 4096, 4096, 4096)
    itself = struct.pack("<IIQQQQQQ", 3, 4, 176, 0x4000b0, 0x4000b0, len(name), len(name), 1)
    return (header + load + itself + name).ljust(4096, b"\0")


class BadInput(unittest.TestCase):
    def setUp(self):
        # not in /tmp: the enclave has its own
        self.dir = tempfile.mkdtemp(prefix="test-bad-input-", dir=os.environ["NACRE_BUILD_ROOT"])
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        with open(HELLO, "rb") as f:
            self.hello = f.read()

    def program(self, name, content, mode=0o755):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(content)
        os.chmod(path, mode)
        return path

    def refused(self, path, *words):
        r = run(path)
        self.assertIn(r.returncode, NOT_STARTED, f"{path}: {r.returncode} {r.stderr}")
        self.assertIn(os.path.basename(path), r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)
        self.assertNotIn("image+0x", r.stderr)
        return r

    def changed(self, offset, form, value):
        data = bytearray(self.hello)
        struct.pack_into(form, data, offset, value)
        return bytes(data)

    def test_the_program_itself_runs(self):
        r = run(self.program("hello", self.hello))
        self.assertEqual((r.returncode, r.stdout), (0, "hello\n"), r.stderr)

    def test_headers_that_cannot_be(self):
        cases = {
            "empty": b"",
            "one-byte": b"\x7f",
            "magic-only": self.hello[:4],
            "header-cut": self.hello[:63],
            "headers-cut": self.hello[:100],
            "32-bit": self.changed(4, "B", 1),
            "big-endian": self.changed(5, "B", 2),
            "relocatable": self.changed(16, "<H", 1),
            "core-dump": self.changed(16, "<H", 4),
            "other-machine": self.changed(18, "<H", 183),
            "header-size": self.changed(54, "<H", 55),
            "no-headers": self.changed(56, "<H", 0),
            "many-headers": self.changed(56, "<H", 0xffff),
            "headers-far": self.changed(32, "<Q", 1 << 62),
            "headers-wrap": self.changed(32, "<Q", (1 << 64) - 56),
        }
        for name, content in cases.items():
            with self.subTest(name):
                self.refused(self.program(name, content), "ENOEXEC")

    def test_segments_that_cannot_be(self):
        table = struct.unpack_from("<Q", self.hello, 32)[0]
        count = struct.unpack_from("<H", self.hello, 56)[0]
        load = next(table + 56 * i for i in range(count) if struct.unpack_from("<I", self.hello, table + 56 * i)[0] == 1)
        for name, offset, value in (("file-larger-than-memory", 40, 1), ("memory-wraps", 40, (1 << 64) - 1),
                                    ("address-above-all", 16, 1 << 63), ("file-offset-odd", 8, 7),
                                    ("larger-than-any", 40, 1 << 46)):
            with self.subTest(name):
                r = run(self.program(name, self.changed(load + offset, "<Q", value)))
                self.assertIn(r.returncode, (*NOT_STARTED, 128 + 9, 128 + 11), r.stderr)
                self.assertNotIn("image+0x", r.stderr)

    def test_flipped_bytes_end_somehow(self):
        table = 64 + 56 * struct.unpack_from("<H", self.hello, 56)[0]
        pick = random.Random(7)
        for _ in range(FLIPS):
            at, bit = pick.randrange(table), pick.randrange(8)
            data = bytearray(self.hello)
            data[at] ^= 1 << bit
            with self.subTest(at=at, bit=bit):
                r = run(self.program(f"flip-{at}-{bit}", bytes(data)))
                # a program still, or none: it may do anything but hang (run) or take the library OS along
                self.assertNotIn("image+0x", r.stderr)
                os.unlink(os.path.join(self.dir, f"flip-{at}-{bit}"))

    def test_interpreters(self):
        loop = os.path.join(self.dir, "loop")
        self.program("loop", interp_program(loop))
        self.refused(loop, "ELIBBAD")
        self.refused(self.program("missing", interp_program("/no/such/loader")), "ENOENT")
        self.refused(self.program("directory", interp_program("/")), "EACCES")
        self.refused(self.program("text", interp_program(self.program("words", b"words"))), "ELIBBAD")

    def test_scripts(self):
        a = os.path.join(self.dir, "a")
        self.program("a", b"#!" + a.encode() + b"\n")
        self.refused(a, "ELOOP")
        self.refused(self.program("missing", b"#!/no/such/interpreter\n"), "ENOENT")
        self.refused(self.program("nothing", b"#!\n"), "ENOEXEC")
        self.refused(self.program("not-for-execution", self.hello, 0o644), "EACCES")
        self.refused(os.path.join(self.dir, "nowhere"), "ENOENT")
        self.refused(self.dir, "EACCES")

    def test_a_missing_library(self):
        source = os.path.join(self.dir, "lib.c")
        with open(source, "w", encoding="ascii") as f:
            f.write("int f(void); int f(void) { return 1; }\n")
        main = os.path.join(self.dir, "main.c")
        with open(main, "w", encoding="ascii") as f:
            f.write("int f(void); int main(void) { return f(); }\n")
        library = os.path.join(self.dir, "libnacre-not-there.so")
        program = os.path.join(self.dir, "main")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        subprocess.run(["cc", "-o", program, main, library], check=True)
        self.assertEqual(run(program).returncode, 1)
        os.unlink(library)
        r = run(program)
        self.assertEqual(r.returncode, 127)  # the loader's own exit status
        self.assertIn("libnacre-not-there.so", r.stderr)

    def test_too_little_memory(self):
        r = run(LIMITS, "memory", options=("--memory", "96M"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout, "refused, and usable afterwards\n")
        r = run(HELLO, options=("--memory", "1M"))
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("memory", r.stderr)

    def test_a_stack_that_does_not_fit_any_more(self):
        r = run(LIMITS, "touch", options=("--memory", "96M"))
        self.assertIn(r.returncode, (128 + 9, 128 + 7, 128 + 11), r.stderr)
        self.assertIn("memory", r.stderr)

    def test_too_few_threads(self):
        r = run(LIMITS, "threads", options=("--threads", "12"))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout, "refused, and usable afterwards\n")

    def test_impossible_mappings(self):
        r = run(LIMITS, "mappings")
        self.assertEqual((r.returncode, r.stdout), (0, "all refused\n"), r.stderr)


if __name__ == "__main__":
    unittest.main()
