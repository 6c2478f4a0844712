#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/image_check.py finds what it looks for: the good image passes, each broken twin does not.

The loader must refuse those of them it can see, too: `nacre measure` is its reader.
"""
import os
import struct
import subprocess
import sys
import tempfile
import unittest

NACRE = os.environ["NACRE"]
IMAGE = os.environ["NACRE_TEST_ENCLAVE"]
TOOL = os.path.join(os.environ["NACRE_SOURCE_ROOT"], "tools", "image_check.py")
PHOFF, PHENT = 64, 56
TEXT, DATA, DYNAMIC, STACK = 1, 2, 3, 5


class ImageCheck(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="nacre-test-image-")
        with open(IMAGE, "rb") as f:
            self.data = bytearray(f.read())

    def tearDown(self):
        self.dir.cleanup()

    def header(self, i, field, fmt="<I"):
        return struct.unpack_from(fmt, self.data, PHOFF + i * PHENT + field)[0]

    def patch(self, at, data):
        self.data[at:at + len(data)] = data

    def check(self, *options):
        path = os.path.join(self.dir.name, "image.elf")
        with open(path, "wb") as f:
            f.write(self.data)
        r = subprocess.run([sys.executable, TOOL, path, *options], capture_output=True, text=True,
                           check=False)
        m = subprocess.run([NACRE, "measure", path], capture_output=True, text=True, check=False)
        return r.returncode, r.stderr, m.returncode

    def expect(self, says, loader_refuses=True):
        code, text, measured = self.check()
        self.assertEqual(code, 1, text)
        self.assertIn(says, text)
        self.assertEqual(measured, 1 if loader_refuses else 0)

    def test_good_image_passes(self):
        self.assertEqual(self.check()[::2], (0, 0))

    def test_budget_is_kept(self):
        code, text, _ = self.check("--budget", "4096")
        self.assertEqual(code, 1)
        self.assertIn("the budget is 4096", text)

    def test_writable_text(self):
        self.patch(PHOFF + TEXT * PHENT + 4, struct.pack("<I", 7))
        self.expect("writable and executable")

    def test_executable_stack(self):
        self.patch(PHOFF + STACK * PHENT + 4, struct.pack("<I", 7))
        self.expect("the stack is executable")

    def test_interpreter(self):
        self.patch(PHOFF + STACK * PHENT, struct.pack("<I", 3))
        self.expect("interpreter")

    def test_thread_local_storage(self):
        self.patch(PHOFF + STACK * PHENT, struct.pack("<I", 7))
        self.expect("PT_TLS")

    def test_shared_library_wanted(self):
        self.patch(self.header(DYNAMIC, 8, "<Q"), struct.pack("<Q", 1))
        self.expect("DT_NEEDED")

    def test_text_relocations(self):
        self.patch(self.header(DYNAMIC, 8, "<Q"), struct.pack("<Q", 22))
        self.expect("DT_TEXTREL")

    def test_not_position_independent(self):
        self.patch(16, struct.pack("<H", 2))
        self.expect("e_type is 2")

    def test_system_call_instruction(self):
        text = self.header(TEXT, 8, "<Q")
        for code, name in ((b"\x0f\x05", "syscall"), (b"\x0f\x34", "sysenter"),
                           (b"\xcd\x80", "int")):
            self.patch(text, code)  # in place of the first instruction, cld and what follows
            self.expect(name, loader_refuses=False)

    def test_mmx_instruction(self):
        self.patch(self.header(TEXT, 8, "<Q"), b"\x0f\x77")  # emms
        self.expect("emms", loader_refuses=False)

    def test_second_build_that_differs(self):
        self.data[-1] ^= 1
        code, text, _ = self.check("--same-as", IMAGE)
        self.assertEqual(code, 1)
        self.assertIn("not reproducible", text)

    def test_not_elf(self):
        self.patch(0, b"X")
        self.assertEqual(self.check()[::2], (2, 1))

    def test_cut_anywhere_is_refused_without_a_crash(self):
        whole = bytes(self.data)
        for size in (0, 3, 63, 64, 300, 4000, 8192, len(whole) // 2, len(whole) - 1):
            self.data = bytearray(whole[:size])
            code, _, measured = self.check()
            self.assertIn(code, (1, 2), size)
            self.assertEqual(measured, 1, size)


if __name__ == "__main__":
    unittest.main()
