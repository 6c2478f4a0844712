#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre softsgx run: an enclave of another tool chain, and streams that are none."""
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
FOREIGN = os.path.join(os.environ.get("NACRE_VECTORS", ""), "sgx-sigstruct")
OK, FAILED, USAGE, REFUSED = 0, 1, 2, 3
UD2 = b"\x0f\x0b"
EEXIT = b"\x48\x89\xcb\xb8\x04\x00\x00\x00\x0f\x01\xd7"  # mov %rcx, %rbx; mov $4, %eax; enclu


def record(tag, *words):
    return (tag.ljust(8, b"\0") + b"".join(words)).ljust(64, b"\0")


def page(offset, flags, data):
    data = data.ljust(4096, b"\0")
    out = record(b"EADD", struct.pack("<QQ", offset, flags))
    for at in range(0, 4096, 256):
        out += record(b"EEXTEND", struct.pack("<Q", offset + at)) + data[at:at + 256]
    return out


def enclave(code):
    """One page of code, a TCS, one SSA frame."""
    tcs = struct.pack("<QQQIIQQQQII", 0, 0, 0x3000, 0, 1, 0x1000, 0, 0x4000, 0x4000, 0xfff, 0xfff)
    return (record(b"ECREATE", struct.pack("<IQ", 1, 0x8000)) + page(0x1000, 0x205, code) +
            page(0x2000, 0x100, tcs) + page(0x3000, 0x203, b""))


class CliSoftsgxRun(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-run-")
        self.addCleanup(shutil.rmtree, self.dir)

    def nacre(self, code, *words):
        env = dict(os.environ, NACRE_STATE_DIR=os.path.join(self.dir, "state"))
        r = subprocess.run([NACRE, "softsgx", "run", *words], cwd=self.dir, env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(r.returncode, code, f"{words}\n{r.stdout}{r.stderr}")
        return r

    def run_stream(self, code, stream, *words):
        with open(os.path.join(self.dir, "e.sgxs"), "wb") as f:
            f.write(stream)
        return self.nacre(code, "e.sgxs", *words)

    def test_exit_is_reported(self):
        out = json.loads(self.run_stream(OK, enclave(EEXIT), "--rdi", "7", "--json").stdout)
        self.assertEqual((out["outcome"], out["rdi"]), ("exit", 7))
        self.assertIn("EEXIT with rdi 0x7", self.run_stream(OK, enclave(EEXIT), "--rdi", "7").stdout)

    def test_exception_is_reported(self):
        out = json.loads(self.run_stream(FAILED, enclave(UD2), "--json").stdout)
        self.assertEqual((out["outcome"], out["vector"]), ("exception", 6))
        self.assertIn("#UD (6) on the enclave", self.run_stream(FAILED, enclave(UD2)).stdout)
        self.assertIn("#UD", self.run_stream(FAILED, enclave(b"\x0f\x05")).stdout)  # syscall

    def test_measurement_is_that_of_measure(self):
        stream = enclave(EEXIT)
        out = json.loads(self.run_stream(OK, stream, "--json").stdout)
        r = subprocess.run([NACRE, "measure", "--sgxs", os.path.join(self.dir, "e.sgxs")],
                           stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(r.stdout.strip(), out["mrenclave"])

    def test_enclave_that_wrecks_its_process_is_survived(self):
        # xor %ebp, %ebp before EEXIT: the caller's frame is lost.
        r = self.run_stream(FAILED, enclave(b"\x31\xed" + EEXIT))
        self.assertIn("written for another runtime", r.stderr)

    def test_streams_that_cannot_be_loaded(self):
        good = enclave(EEXIT)
        self.assertIn("cut off", self.run_stream(FAILED, good[:-1]).stderr)
        self.assertIn("empty", self.run_stream(FAILED, b"").stderr)
        self.assertIn("ECREATE", self.run_stream(FAILED, good[64:]).stderr)
        self.assertIn("in part", self.run_stream(FAILED, good[:-320]).stderr)
        swapped = good[:128] + good[448:768] + good[128:448] + good[768:]
        self.assertIn("out of order", self.run_stream(FAILED, swapped).stderr)
        self.assertIn("added before", self.run_stream(FAILED, good + page(0x1000, 0x205, b"")).stderr)
        self.assertIn("there is no TCS 1", self.run_stream(FAILED, good, "--tcs", "1").stderr)
        odd = record(b"ECREATE", struct.pack("<IQ", 1, 0x9000)) + good[64:]
        self.assertIn("power of two", self.run_stream(FAILED, odd).stderr)
        self.nacre(FAILED, "missing.sgxs")
        self.nacre(USAGE)

    def test_foreign_enclave_runs_under_its_sigstruct(self):
        stream = os.path.join(FOREIGN, "test_enclave.sgxs")
        sig = os.path.join(FOREIGN, "test_enclave.sig")
        if not os.path.exists(stream):
            self.skipTest(f"{stream} is not there: set NACRE_VECTORS")
        out = json.loads(self.nacre(OK, stream, "--sig", sig, "--json").stdout)
        with open(sig, "rb") as f:
            s = bytearray(f.read())
        self.assertEqual(out["mrenclave"], s[960:992].hex())
        s[960] ^= 1
        bad = os.path.join(self.dir, "bad.sig")
        with open(bad, "wb") as f:
            f.write(s)
        self.assertIn("SGX_INVALID_SIGNATURE (8)", self.nacre(REFUSED, stream, "--sig", bad).stderr)
        with open(bad, "wb") as f:
            f.write(s[:-1])
        self.assertIn("bad.sig", self.nacre(FAILED, stream, "--sig", bad).stderr)


if __name__ == "__main__":
    unittest.main()
