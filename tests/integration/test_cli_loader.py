#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre measure, doctor and device, and nacre-loader, as people run them: good and bad input."""
import hashlib
import json
import os
import struct
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
LOADER = os.environ["NACRE_LOADER"]
ENCLAVE = os.environ["NACRE_TEST_ENCLAVE"]
SIGSTRUCT = os.environ["NACRE_TEST_SIGSTRUCT"]
SGXS = os.path.join(os.environ["NACRE_VECTORS"], "sgx-sigstruct", "test_enclave.sgxs")
OK, FAILED, USAGE, UNSUPPORTED = 0, 1, 2, 4
CANNOT_RUN, ABORTED, DIED = 125, 134, 139


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="nacre-test-loader-")
        cls.dir = cls.temp.name

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def run_program(self, code, *words, env=None, says=None):
        e = {k: v for k, v in os.environ.items() if k not in ("NACRE_MODE", "SCONE_MODE")}
        e["NACRE_STATE_DIR"] = os.path.join(self.dir, "state")
        e["ASAN_OPTIONS"] = "detect_leaks=0:allow_user_segv_handler=1:use_sigaltstack=0"
        e.update(env or {})
        r = subprocess.run(words, cwd=self.dir, env=e, capture_output=True, text=True, check=False,
                           timeout=60)
        self.assertEqual(r.returncode, code, f"{words}\n{r.stdout}\n{r.stderr}")
        if says is not None:
            self.assertIn(says, r.stderr)
        return r

    def nacre(self, code, *words, **more):
        return self.run_program(code, NACRE, *words, **more)

    def loader(self, code, *words, **more):
        return self.run_program(code, LOADER, "--sigstruct", SIGSTRUCT, *words, **more)

    def path(self, name, data):
        full = os.path.join(self.dir, name)
        with open(full, "wb") as f:
            f.write(data)
        return full


class Measure(Cli):
    def test_agrees_with_the_sigstruct_that_einit_accepted(self):
        mrenclave = self.nacre(OK, "measure", ENCLAVE).stdout.strip()
        with open(SIGSTRUCT, "rb") as f:
            self.assertEqual(f.read()[960:992].hex(), mrenclave)

    def test_independent_computation_agrees(self):
        """The record stream of the layout, rebuilt here from the documentation alone."""
        with open(ENCLAVE, "rb") as f:
            elf = f.read()
        top = 1 << 40
        h = hashlib.sha256(b"ECREATE\0" + struct.pack("<IQ", 1, top) + bytes(44))

        def add(offset, data, flags):
            for page in range(0, len(data), 4096):
                h.update(b"EADD\0\0\0\0" + struct.pack("<QQ", offset + page, flags) + bytes(40))
                for at in range(page, page + 4096, 256):
                    h.update(b"EEXTEND\0" + struct.pack("<Q", offset + at) + bytes(48))
                    h.update(data[at:at + 256])

        image = top - (1 << 30)
        manifest = top - (512 << 20)
        end = 0
        phoff, = struct.unpack_from("<Q", elf, 32)
        for i in range(struct.unpack_from("<H", elf, 56)[0]):
            kind, flags, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from(
                "<IIQQQQQQ", elf, phoff + 56 * i)
            if kind == 1:
                data = elf[offset:offset + filesz].ljust((memsz + 4095) & ~4095, b"\0")
                rwx = (flags >> 2 & 1) | (flags & 2) | (flags & 1) << 2
                add(image + vaddr, data, 0x200 | rwx)
                end = vaddr + len(data)
            if kind == 4 and b"nacre\0" in elf[offset:offset + filesz]:
                config = struct.unpack_from("<IIIIIIQ", elf, offset + 20)
        _, threads, frames, frame_pages, stack, trap, entry = config
        add(manifest, bytes(4096), 0x201)
        for i in range(threads):
            slot = top - (256 << 20) + i * 0x400000
            page = struct.pack("<32xQIIII", 0x3044524854434e00, i, frames, 4096 * frame_pages, 0)
            page += struct.pack("<12Q", slot + 0x310000, slot + 0x320000, slot + 0x330000,
                                slot + 0x200000, stack, slot + 0x300000, trap, image, end,
                                manifest, 0, threads)
            tcs = struct.pack("<QQQIIQQQQII", 0, 0, slot + 0x330000, 0, frames, image + entry, 0,
                              slot + 0x310000, slot + 0x310000, 0xfff, 0xfff)
            add(slot + 0x200000 - stack, bytes(stack), 0x203)
            add(slot + 0x300000 - trap, bytes(trap), 0x203)
            add(slot + 0x310000, page.ljust(4096, b"\0"), 0x203)
            add(slot + 0x320000, tcs.ljust(4096, b"\0"), 0x100)
            add(slot + 0x330000, bytes(4096 * frames * frame_pages), 0x203)
        self.assertEqual(self.nacre(OK, "measure", ENCLAVE).stdout.strip(), h.hexdigest())

    def test_manifest_changes_the_measurement(self):
        one = self.nacre(OK, "measure", ENCLAVE, "--manifest", self.path("m1", b"a")).stdout
        two = self.nacre(OK, "measure", ENCLAVE, "--manifest", self.path("m2", b"b")).stdout
        none = self.nacre(OK, "measure", ENCLAVE).stdout
        self.assertEqual(len({one, two, none}), 3)

    def test_json_has_the_sizes(self):
        m = json.loads(self.nacre(OK, "measure", "--json", ENCLAVE).stdout)
        self.assertEqual(m["elrange_bytes"], 1 << 40)
        self.assertGreater(m["measured_bytes"], 4096)
        self.assertGreaterEqual(m["threads"], 1)

    @unittest.skipUnless(os.path.exists(SGXS), "no vectors: sgx-sigstruct/test_enclave.sgxs is absent")
    def test_record_stream_of_another_tool(self):
        out = self.nacre(OK, "measure", "--sgxs", SGXS).stdout.strip()
        with open(SGXS.replace(".sgxs", ".sig"), "rb") as f:
            self.assertEqual(f.read()[960:992].hex(), out)

    def test_bad_input_names_the_field(self):
        self.nacre(FAILED, "measure", "/nonexistent", says="cannot open /nonexistent")
        self.nacre(FAILED, "measure", self.path("e", b""), says="too short for an ELF header")
        self.nacre(FAILED, "measure", self.path("x", bytes(100)), says="not an ELF file")
        self.nacre(FAILED, "measure", "--sgxs", self.path("s", b"EADD"), says="cut off")
        self.nacre(FAILED, "measure", ENCLAVE, "--manifest", self.path("big", bytes((1 << 20) + 1)),
                   says="1024 KiB")
        self.nacre(USAGE, "measure", "--sgxs", ENCLAVE, "--manifest", ENCLAVE, says="--manifest")
        self.nacre(USAGE, "measure", says="missing")


class Machine(Cli):
    def test_doctor_json_and_text_agree(self):
        d = json.loads(self.nacre(OK, "doctor", "--json").stdout)
        self.assertIn(d["would_run"], ("hw", "soft"))
        self.assertEqual(d["isolation"], d["modes"]["hw"]["runs"])
        self.assertIn("not yet been run on hardware", d["note"])
        ids = [f["id"] for f in d["facts"]]
        self.assertEqual(len(ids), len(set(ids)))
        for wanted in ("sgx1", "sgx2", "flc", "kss", "dev_enclave", "fsgsbase", "sud", "kernel",
                       "mmap_min_addr", "overcommit_memory", "max_map_count", "aesm", "dcap_ql",
                       "software_root", "aes_ni", "sha_ni", "vdso", "cpuid_faulting"):
            self.assertIn(wanted, ids)
        for fact in d["facts"]:
            if fact["state"] == "no":
                self.assertTrue(fact["advice"], fact)
        text = self.nacre(OK, "doctor").stdout
        self.assertIn("not yet been run on hardware", text)
        self.assertIn(f"NACRE_MODE=auto  {d['would_run']}", text)

    def test_doctor_changes_nothing(self):
        state = os.path.join(self.dir, "untouched")
        self.nacre(OK, "doctor", env={"NACRE_STATE_DIR": state})
        self.assertFalse(os.path.exists(state))

    def test_device_follows_the_order_of_drivers(self):
        dev = os.path.join(self.dir, "dev")
        os.makedirs(os.path.join(dev, "sgx"))
        state = os.path.join(self.dir, "device-state")
        volume = f"{state}/softsgx:/var/lib/nacre/softsgx"
        env = {"NACRE_STATE_DIR": state}
        r = self.nacre(OK, "device", "--dev", dev, says="software mode", env=env)
        self.assertEqual(r.stdout, f"--volume={volume}\n")
        r = self.nacre(OK, "device", "--dev", dev, "--json", env=env)
        self.assertEqual(json.loads(r.stdout), {"mode": "soft", "devices": [], "volumes": [volume]})
        for name, expected in (("isgx", ["isgx"]),
                               ("sgx/enclave", ["sgx/enclave"]),
                               ("sgx/provision", ["sgx/enclave", "sgx/provision"]),
                               ("sgx_provision", ["sgx/enclave", "sgx/provision"]),
                               ("sgx_enclave", ["sgx_enclave", "sgx_provision"])):
            self.path(os.path.join("dev", name), b"")
            out = self.nacre(OK, "device", "--dev", dev).stdout
            self.assertEqual(out, " ".join(f"--device={dev}/{n}" for n in expected) + "\n")


class Loader(Cli):
    def test_soft_mode_says_that_nothing_is_isolated(self):
        r = self.loader(7, "--mode", "soft", ENCLAVE, "exit", says="nothing is isolated")
        self.assertEqual(len(r.stderr.splitlines()), 1)
        r = self.loader(7, "--quiet", "--mode", "soft", ENCLAVE, "exit")
        self.assertEqual(r.stderr, "")

    def test_mode_from_the_environment(self):
        self.loader(7, ENCLAVE, "exit", env={"NACRE_MODE": "soft"})
        self.loader(7, ENCLAVE, "exit", env={"SCONE_MODE": "sim"})
        self.loader(CANNOT_RUN, ENCLAVE, "exit", env={"NACRE_MODE": "simulation"},
                    says="NACRE_MODE=simulation")

    @unittest.skipIf(os.path.exists("/dev/sgx_enclave"), "this machine has SGX")
    def test_hw_mode_never_falls_back(self):
        self.loader(CANNOT_RUN, "--mode", "hw", ENCLAVE, "exit", says="never falls back")

    def test_end_of_an_enclave_is_told_apart(self):
        self.loader(ABORTED, "-q", "--mode", "soft", ENCLAVE, "abort", says="gave up, reason 42")
        self.loader(ABORTED, "-q", "--mode", "soft", ENCLAVE, "die", says="gave up, reason 4")
        self.loader(DIED, "-q", "--mode", "soft", ENCLAVE, "sink", says="no SSA frame left")

    def test_base_and_limits_change_no_measurement(self):
        """The SIGSTRUCT of one measurement serves every launch parameter."""
        for options in (("--base", "0x200000000000"), ("--threads", "9"), ("--memory", "1G"),
                        ("--log-level", "4"), ("-o", "a=b")):
            self.loader(7, "-q", "--mode", "soft", *options, ENCLAVE, "exit")

    def test_wrong_input_does_not_start(self):
        with open(ENCLAVE, "rb") as f:
            elf = bytearray(f.read())
        with open(SIGSTRUCT, "rb") as f:
            sig = bytearray(f.read())
        soft = ("-q", "--mode", "soft")
        elf[0x2000] ^= 1
        self.loader(CANNOT_RUN, *soft, self.path("tampered.elf", elf), "exit", says="initialising")
        self.loader(CANNOT_RUN, *soft, "--manifest", self.path("m", b"m"), ENCLAVE, "exit",
                    says="initialising")
        for at in (0, 30, 128, 512, 516, 899, 960, 1024, 1040, 1807):
            broken = bytearray(sig)
            broken[at] ^= 4
            self.run_program(CANNOT_RUN, LOADER, *soft, "-s", self.path("bad.sig", broken), ENCLAVE,
                             "exit", says="initialising")
        self.run_program(CANNOT_RUN, LOADER, *soft, "-s", self.path("cut.sig", sig[:-1]), ENCLAVE,
                         says="1808 bytes")
        self.loader(CANNOT_RUN, *soft, "--base", "4096", ENCLAVE, says="multiple of 1 TiB")
        self.loader(CANNOT_RUN, *soft, "/nonexistent", says="cannot open")

    def test_usage(self):
        self.run_program(USAGE, LOADER, says="missing")
        self.run_program(USAGE, LOADER, "--log-level", "9", ENCLAVE, says="--log-level")
        self.run_program(USAGE, LOADER, "--bogus", ENCLAVE, says="--bogus")
        self.assertIn("Usage:", self.run_program(OK, LOADER, "--help").stdout)


if __name__ == "__main__":
    unittest.main()
