#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The protected start as a container sees it: a bundle, its loader, the agent in the enclave, and a CAS
that answers as scripted. Each thing that is right once is wrong once as well."""
import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import make_bundle  # noqa: E402
import oci_build  # noqa: E402
from oci_build import Layer  # noqa: E402
from scripted_cas import ScriptedCas, http, make_key  # noqa: E402

NACRE, LOADER = os.environ["NACRE"], os.environ["NACRE_LOADER"]
LIBOS, AGENT, PROBE = os.environ["NACRE_LIBOS_ELF"], os.environ["NACRE_AGENT"], os.environ["AGENT_PROBE"]
CONFIG, UNREACHED, INTERNAL, PROTOCOL, DENIED, UNUSABLE = 64, 69, 70, 76, 77, 78
SECRET = "correct horse battery staple"


def image(directory, name, extra=b""):
    layer = Layer()
    for path in ("bin", "etc", "tmp", "proc", "dev", "sys", "data"):
        layer.dir(path)
    with open(PROBE, "rb") as f:
        layer.add("bin/probe", data=f.read(), mode=0o755)
    layer.add("etc/config", data=b"from the image" + extra)
    layer.symlink("etc/link", "config")
    oci_build.make(os.path.join(directory, name), [layer.bytes()])
    return "oci:" + os.path.join(directory, name)


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Not below /tmp: the enclave has its own.
        cls.dir = tempfile.mkdtemp(prefix="test-agent-", dir=os.environ["NACRE_BUILD_ROOT"])
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.host = os.path.join(cls.dir, "hostdir")
        cls.rw = os.path.join(cls.dir, "hostrw")
        os.makedirs(cls.host)
        os.makedirs(cls.rw)
        with open(os.path.join(cls.host, "file"), "w", encoding="ascii") as f:
            f.write("host file")
        cls.cas = ScriptedCas(cls.dir, [("answer", b"")])
        cls.addClassCleanup(cls.cas.close)
        cls.bundle = os.path.join(cls.dir, "bundle")
        cls.work = os.path.join(cls.dir, "keys")
        cls.made = make_bundle.make(cls.bundle, NACRE, LOADER, LIBOS, AGENT, image(cls.dir, "layout"),
                                    cls.cas.pin, cls.work, cls.manifest_options())

    @classmethod
    def manifest_options(cls):
        return ["--session", "ns/shop", "--env", "TZ", "--env", "LEVEL", "--mount", cls.host,
                "--mount", cls.rw + ":rw"]

    def document(self, *argv, **keys):
        doc = {"version": 1, "argv": ["/bin/probe", *argv], "environment": [["SECRET", SECRET]], "pwd": "/etc",
               "sealed": self.made["sealed"], "volumes": [], "files": []}
        doc.update(keys)
        return {k: v for k, v in doc.items() if v is not None}

    def script(self, *steps, cas=None):
        cas = cas or self.cas
        cas.script, cas.connections, cas.requests, cas.errors = list(steps), 0, [], []

    def environment(self, **env):
        full = {"NACRE_MODE": "soft", "NACRE_CAS": self.cas.address, "NACRE_CONFIG_ID": "ns/shop/web",
                "NACRE_CAS_TIMEOUT": "5", "HOME": self.dir,
                "NACRE_STATE_DIR": os.environ.get("NACRE_STATE_DIR", os.path.join(self.dir, "state"))}
        full.update(env)
        return {k: v for k, v in full.items() if v is not None}

    def start(self, bundle=None, args=(), **env):
        r = subprocess.run(["timeout", "-k", "1", "60", os.path.join(bundle or self.bundle, "nacre-loader"), *args],
                           env=self.environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertNotIn(SECRET.encode(), r.stderr)
        if "sealed" in self.made:
            self.assertNotIn(self.made["sealed"]["key"].encode(), r.stderr)
        return r

    def run_document(self, doc, expect=0, bundle=None, says=b"", args=(), **env):
        self.script(("answer", http(200, doc)))
        r = self.start(bundle, args, **env)
        self.assertEqual(r.returncode, expect, (r.stdout, r.stderr))
        self.assertIn(says, r.stderr)
        return r.stdout.decode()

    def changed_bundle(self, name):
        out = os.path.join(self.dir, name)
        shutil.copytree(self.bundle, out)
        self.addCleanup(shutil.rmtree, out)
        return out


class Start(Bundle):
    """What the application gets."""

    def test_evidence_is_bound_to_the_connection_and_the_wish(self):
        self.run_document(self.document())
        request = self.cas.requests[0]
        self.assertEqual(request["line"], "POST /v1/provision HTTP/1.1")
        self.assertEqual(request["headers"]["content-type"], "application/json")
        self.assertEqual(set(request["doc"]), {"version", "session", "service", "evidence"})
        self.assertEqual((request["doc"]["version"], request["doc"]["session"], request["doc"]["service"]),
                         (1, "ns/shop", "web"))
        self.assertEqual(request["report_data"], request["want"])
        self.assertEqual(request["mrenclave"], self.made["mrenclave"])
        r = subprocess.run([NACRE, "quote", "show", "-"], input=request["quote"], stdout=subprocess.PIPE, check=False)
        self.assertIn(self.made["mrenclave"].encode(), r.stdout)

    def test_everything_granted_arrives(self):
        out = self.run_document(self.document(
            "one", "two words", environment=[["SECRET", SECRET], ["LEVEL", "from the session"], ["EMPTY", ""]],
            user={"uid": 1000, "gid": 1001, "groups": [7, 5]}), TZ="UTC", LEVEL="from the host", LD_PRELOAD="/evil.so",
            SECRET_NOT_NAMED="x", args=("engine's", "arguments"))
        lines = out.splitlines()
        env = [line for line in lines if line.startswith("env ")]
        self.assertEqual(env, ["env TZ=UTC", "env SECRET=" + SECRET, "env LEVEL=from the session", "env EMPTY="])
        self.assertEqual([line for line in lines if line.startswith("arg ")],
                         ["arg /bin/probe", "arg one", "arg two words"])
        self.assertIn("cwd /etc", lines)
        self.assertIn("user 1000 1001 5 7", lines)

    def test_files_are_made_over_the_image_and_never_through_a_link(self):
        def data(text):
            return base64.b64encode(text.encode()).decode()
        files = [{"path": "/etc/config", "mode": 0o400, "uid": 3, "gid": 4, "data": data("injected")},
                 {"path": "/etc/link", "mode": 0o640, "uid": 0, "gid": 0, "data": data("no link any more")},
                 {"path": "/new/deep/file", "data": data(SECRET)},
                 {"path": "/tmp/file", "mode": 0o4755, "uid": 0, "gid": 0, "data": ""}]
        out = self.run_document(self.document("show", "/etc/config", "/etc/link", "/new/deep/file", "/tmp/file",
                                              files=files))
        self.assertEqual(out.splitlines(), ["/etc/config 400 3 4 injected", "/etc/link 640 0 0 no link any more",
                                            "/new/deep/file 700 0 0 " + SECRET, "/tmp/file 4755 0 0 "])

    def test_files_cannot_go_into_a_host_directory(self):
        for path in (os.path.join(self.rw, "leak"), os.path.join(self.host, "sub", "leak"), self.rw):
            self.run_document(self.document(files=[{"path": path, "data": base64.b64encode(SECRET.encode()).decode()}]),
                              UNUSABLE, says=b"lies in a host directory")
        self.assertEqual(os.listdir(self.rw), [])

    def test_host_directories_are_those_of_the_manifest_with_its_flags(self):
        out = self.run_document(self.document("show", os.path.join(self.host, "file")))
        self.assertIn("host file", out)
        self.assertIn("Read-only file system", self.run_document(self.document("write", os.path.join(self.host, "n"))))
        self.assertIn("write ok", self.run_document(self.document("write", os.path.join(self.rw, "n"))))
        os.unlink(os.path.join(self.rw, "n"))
        self.assertIn("write ok", self.run_document(self.document("write", os.path.join(self.dir, "n"))))
        self.assertFalse(os.path.exists(os.path.join(self.dir, "n")))  # beside them: the enclave's own memory

    def test_the_private_interface_is_closed_for_ever(self):
        out = self.run_document(self.document("closed"))
        self.assertEqual(out.splitlines(), ["a forked child found nothing"] * 2 + ["closed: 0 found"])

    def test_exit_status_and_signals(self):
        self.run_document(self.document("exit", "42"), 42)
        self.run_document(self.document("crash"), 139, says=b"the application died of signal 11")
        self.script(("answer", http(200, self.document("wait"))))
        with subprocess.Popen([os.path.join(self.bundle, "nacre-loader")], env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
            self.assertEqual(p.stdout.readline(), b"ready\n")
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.wait(20), 128 + signal.SIGTERM)

    def test_as_process_1_of_a_container(self):
        unshare = ["unshare", "--pid", "--fork", "--kill-child"]
        if subprocess.run(unshare + ["true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("no new pid namespace may be made here")
        command = unshare + [os.path.join(self.bundle, "nacre-loader")]
        env = self.environment(PATH=os.environ["PATH"])
        self.script(("answer", http(200, self.document("exit", "7"))))
        self.assertEqual(subprocess.run(command, env=env, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode, 7)
        self.script(("answer", http(200, self.document("wait"))))
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
            self.assertEqual(p.stdout.readline(), b"ready\n")
            with open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="ascii") as f:
                os.kill(int(f.read().split()[0]), signal.SIGTERM)
            self.assertEqual(p.wait(20), 128 + signal.SIGTERM)

    def test_the_application_attests_itself(self):
        def look():
            return dict(line.split(" ") for line in self.run_document(self.document("attest")).splitlines())
        got = look()
        quote = bytes.fromhex(got["quote"])
        self.assertEqual(quote[48 + 64:48 + 96].hex(), self.made["mrenclave"])
        self.assertEqual(quote[48 + 320:48 + 384], b"application's own".ljust(64, b"\0"))
        r = subprocess.run([NACRE, "quote", "show", "--json", "-"], input=quote, stdout=subprocess.PIPE, check=False)
        self.assertIn(self.made["mrenclave"].encode(), r.stdout)
        report = bytes.fromhex(got["report"])
        self.assertEqual((len(report), report[64:96].hex()), (432, self.made["mrenclave"]))
        target = bytes.fromhex(got["my_target_info"])
        self.assertEqual((len(target), target[:32].hex()), (512, self.made["mrenclave"]))
        self.assertEqual(bytes.fromhex(got["attestation_type"]), b"dcap")
        keys = [got["keys/_sgx_mrenclave"], got["keys/_sgx_mrsigner"]]
        self.assertEqual([len(k) for k in keys], [32, 32])
        self.assertNotEqual(keys[0], keys[1])
        again = look()
        self.assertEqual([again["keys/_sgx_mrenclave"], again["keys/_sgx_mrsigner"]], keys)

    def test_the_label_is_said_once(self):
        self.script(("answer", http(200, self.document("exit", "0"))))
        self.assertEqual(self.start().stderr.count(b"softsgx: SGX is emulated"), 1)

    def test_the_host_gets_no_traces(self):
        self.script(("answer", http(200, self.document("show", "/etc/config"))))
        r = self.start(NACRE_LOG="trace")
        self.assertEqual(r.returncode, 0)
        self.assertNotIn(b"/etc/config", r.stderr)

    def test_volumes(self):
        volume = os.path.join(self.work, "volume.nseal")
        key = os.path.join(self.work, "volume.key")
        root = make_bundle.run(NACRE, "seal", "--from", image(self.dir, "volume", b" volume"), "--key-out", key, "--force",
                               volume).strip()
        with open(key, encoding="ascii") as f:
            entry = {"name": "data", "path": "/srv/volume", "key": f.read().strip(), "root": root}
        out = self.run_document(self.document("show", "/srv/volume/etc/config", volumes=[entry]),
                                NACRE_VOLUMES="other=/etc/hostname:data=" + volume)
        self.assertIn("from the image volume", out)
        self.run_document(self.document(volumes=[entry]), UNUSABLE, says=b"the host does not offer it")
        self.run_document(self.document(volumes=[dict(entry, root="00" * 31 + "01")]), UNUSABLE,
                          says=b"volume 1", NACRE_VOLUMES="data=" + volume)
        self.run_document(self.document(volumes=[dict(entry, name="other")]), UNUSABLE, says=b"volume 1",
                          NACRE_VOLUMES="other=/etc/hostname")

    def test_no_session_in_the_manifest_any_session_may_be_asked(self):
        out = self.changed_bundle("any-session")
        make_bundle.finish(out, NACRE, self.cas.pin, self.work)
        self.run_document(self.document(), bundle=out, NACRE_CONFIG_ID=None, SCONE_CONFIG_ID="other/s")
        self.assertEqual(self.cas.requests[0]["doc"]["session"], "other")

    def test_scone_names_and_host_names(self):
        self.run_document(self.document(), NACRE_CAS=None, NACRE_CONFIG_ID=None, NACRE_MODE=None, SCONE_MODE="sim",
                          SCONE_CAS_ADDR=f"localhost:{self.cas.port}", SCONE_CONFIG_ID="ns/shop/web")

    def test_ipv6(self):
        try:
            cas = ScriptedCas(self.dir, [("answer", b"")], "cas6", socket.AF_INET6)
        except OSError as e:
            self.skipTest(f"no IPv6 here: {e}")
        self.addCleanup(cas.close)
        out = self.changed_bundle("v6")
        make_bundle.finish(out, NACRE, cas.pin, self.work)
        self.script(("answer", http(200, self.document())), cas=cas)
        r = self.start(out, NACRE_CAS=f"[::1]:{cas.port}")
        self.assertEqual(r.returncode, 0, r.stderr)


class Tampered(Bundle):
    """What somebody changed is refused, by whom it should be."""

    def test_one_byte_of_the_agent(self):
        out = self.changed_bundle("agent-changed")
        path = os.path.join(out, "agent")
        size = os.path.getsize(path)
        for offset in (0, size // 2, size - 1):
            with open(path, "r+b") as f:
                f.seek(offset)
                byte = f.read(1)
                f.seek(offset)
                f.write(bytes([byte[0] ^ 1]))
            self.script(("answer", http(200, self.document())))
            r = self.start(out)
            self.assertEqual(r.returncode, 126, r.stderr)
            self.assertIn(b"the agent is not the one the manifest names", r.stderr)
            self.assertEqual(self.cas.connections, 0)
            shutil.copy(AGENT, path)

    def test_a_longer_or_shorter_agent(self):
        out = self.changed_bundle("agent-length")
        with open(AGENT, "rb") as f:
            good = f.read()
        for data in (good + b"\0", good[:-1], b""):
            with open(os.path.join(out, "agent"), "wb") as f:
                f.write(data)
            r = self.start(out)
            self.assertEqual(r.returncode, 126, r.stderr)
            self.assertIn(b"the agent is not the one the manifest names", r.stderr)

    def test_a_changed_manifest_is_another_enclave(self):
        out = self.changed_bundle("manifest-changed")
        path = os.path.join(out, "manifest")
        with open(path, "r+b") as f:
            f.seek(88)  # the CAS's key
            byte = f.read(1)
            f.seek(88)
            f.write(bytes([byte[0] ^ 1]))
        r = self.start(out)
        self.assertEqual(r.returncode, 125, r.stderr)
        self.assertIn(b"SGX_INVALID_MEASUREMENT", r.stderr)
        with open(path, "r+b") as f:
            f.seek(16)
            f.write(b"\x20")  # only "the host is trusted"
        self.assertEqual(self.start(out).returncode, 125)

    def test_a_sealed_image_with_its_right_key_that_is_not_the_measured_one(self):
        out = self.changed_bundle("other-image")
        key = os.path.join(self.work, "other.key")
        root = make_bundle.run(NACRE, "seal", "--from", image(self.dir, "other", b"!"), "--key-out", key, "--force",
                               os.path.join(out, "rootfs.nseal")).strip()
        with open(key, encoding="ascii") as f:
            other = {"key": f.read().strip(), "root": root}
        self.run_document(self.document(sealed=other), UNUSABLE, out, b"not the one this enclave is measured with")
        self.run_document(self.document(sealed=dict(other, root=self.made["sealed"]["root"])), UNUSABLE, out,
                          b"the sealed image cannot be opened")

    def test_a_wrong_key_or_none(self):
        self.run_document(self.document(sealed=dict(self.made["sealed"], key="42" * 32)), UNUSABLE,
                          says=b"the sealed image cannot be opened: EKEYREJECTED")
        self.run_document(self.document(sealed=None), UNUSABLE, says=b"no key for the sealed root")

    def test_a_missing_image_file(self):
        out = self.changed_bundle("no-image")
        os.unlink(os.path.join(out, "rootfs.nseal"))
        r = self.start(out)
        self.assertEqual(r.returncode, 125)
        self.assertIn(b"rootfs.nseal", r.stderr)

    def test_another_session_than_the_measured_one(self):
        self.script(("answer", http(200, self.document())))
        r = self.start(NACRE_CONFIG_ID="ns/other/web")
        self.assertEqual(r.returncode, CONFIG, r.stderr)
        self.assertIn(b"names another session", r.stderr)
        self.assertEqual(self.cas.connections, 0)

    def test_the_agent_outside_an_enclave(self):
        r = subprocess.run([AGENT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(r.returncode, INTERNAL)
        self.assertIn(b"/dev/nacre", r.stderr)


class Wire(Bundle):
    """A CAS that is another, broken, slow or unwilling."""

    def expect(self, code, *steps, says=b"", **env):
        self.script(*steps)
        r = self.start(**env)
        self.assertEqual(r.returncode, code, r.stderr)
        self.assertIn(says, r.stderr)
        self.assertIn(b"nacre-agent: ", r.stderr if code else b"nacre-agent: ")
        return r

    def good(self):
        return ("answer", http(200, self.document("exit", "0")))

    def test_another_key_gets_nothing(self):
        other = ScriptedCas(self.dir, [self.good()], "other")
        self.addCleanup(other.close)
        r = self.expect(PROTOCOL, self.good(), says=b"not the CAS this enclave is measured with", NACRE_CAS=other.address)
        self.assertEqual(other.requests, [])
        self.assertEqual(r.stdout, b"")

    def test_the_same_key_in_another_certificate_is_the_same_cas(self):
        subprocess.run(["openssl", "req", "-x509", "-key", self.cas.key, "-out", self.cas.cert, "-days", "1", "-subj",
                        "/CN=renewed"], check=True, stderr=subprocess.DEVNULL)
        self.expect(0, self.good())

    def test_old_tls_and_no_tls(self):
        self.expect(PROTOCOL, ("tls12",), says=b"TLS 1.3")
        self.assertEqual(self.cas.requests, [])
        self.expect(PROTOCOL, ("plain", b"HTTP/1.1 400 Bad Request\r\n\r\n"), says=b"TLS 1.3")

    def test_denied(self):
        r = self.expect(DENIED, ("answer", http(403, {"error": "denied", "message": "no", "reference": "a-17\n\x1b[2J"})),
                        says=b"denies this session, reference a-17;")
        self.assertNotIn(b"\x1b", r.stderr)
        self.assertEqual(self.cas.connections, 1)
        self.expect(DENIED, ("answer", http(404, {"error": "denied"})), says=b"denies this session;")
        self.expect(DENIED, ("answer", http(403, b"not even JSON")))

    def test_busy_then_granted_with_new_evidence(self):
        self.expect(0, ("answer", http(429, {"error": "busy"}, Retry_After="1")),
                    ("answer", http(503, {"error": "unavailable"})), ("cut", "accept"), self.good())
        self.assertEqual(self.cas.connections, 4)
        self.assertEqual(len({r["report_data"] for r in self.cas.requests}), 3)
        self.assertTrue(all(r["report_data"] == r["want"] for r in self.cas.requests))

    def test_cut_at_each_stage_then_granted(self):
        whole = http(200, self.document())
        self.expect(0, ("cut", "accept"), ("cut", "handshake"), ("cut", "request"), ("cut", "head", whole),
                    ("cut", "body", whole), self.good(), NACRE_CAS_TIMEOUT="30")
        self.assertEqual(self.cas.connections, 6)

    def test_busy_for_ever(self):
        begun = time.monotonic()
        self.expect(UNREACHED, ("answer", http(503, {"error": "unavailable"})), says=b"no answer from the CAS in 2 seconds",
                    NACRE_CAS_TIMEOUT="2")
        self.assertLess(time.monotonic() - begun, 10)
        self.expect(UNREACHED, ("answer", http(429, {"error": "busy"}, Retry_After="3000")), NACRE_CAS_TIMEOUT="2")

    def test_nobody_there(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.expect(UNREACHED, self.good(), says=b"refused", NACRE_CAS="127.0.0.1:%d" % s.getsockname()[1],
                        NACRE_CAS_TIMEOUT="1")

    def test_slow_answers(self):
        self.expect(0, ("slow", 0.02, http(200, self.document("exit", "0"))))
        self.expect(UNREACHED, ("slow", 1, http(200, self.document("exit", "0"))), NACRE_CAS_TIMEOUT="2")

    def test_malformed_answers(self):
        good = self.document()
        head = b"HTTP/1.1 200 OK\r\n"
        body = b'{"version": 1}'
        for what in (
                b"garbage\r\n\r\n", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", head + b"\r\n{}",
                head + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", head + b"Content-Length: -1\r\n\r\n{}",
                head + b"Content-Length: 99999999999\r\n\r\n{}", head + b"Content-Length: 2x\r\n\r\n{}",
                head + b"Content-Length: 1\r\n\r\n{}", head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                head + b"X: " + b"a" * 40000 + b"\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\n{}",
                head + b"Content-Length: 2\n\r\n\r\n{}",
                http(200, b"{"), http(200, b"[]"), http(200, body), http(200, b"\xff\xfe"), http(200, b"{}{}"),
                http(200, b'{"version": 1, "version": 1}'), http(400, {"error": "malformed"}), http(301, {}), http(201, good)):
            self.expect(PROTOCOL, ("answer", what))
            self.assertEqual(self.cas.connections, 1, what)
        for keys in ({"version": 2}, {"version": "1"}, {"argv": []}, {"argv": None}, {"argv": [1]}, {"argv": "x"},
                     {"pwd": None}, {"pwd": 7}, {"more": 1}, {"environment": [["A"]]}, {"environment": [["A=B", "c"]]},
                     {"environment": [["", "c"]]}, {"environment": {"A": "b"}}, {"sealed": {"key": "00"}},
                     {"sealed": dict(self.made["sealed"], extra=1)}, {"files": [{"path": "/x"}]},
                     {"files": [{"path": "/x", "data": "*"}]}, {"files": [{"path": "/x", "data": "", "mode": 0o10000}]},
                     {"files": [{"path": "/x", "data": "", "mode": "0700"}]}, {"files": [{"path": "/x", "data": "", "no": 1}]},
                     {"user": {"uid": -1}}, {"user": {"uid": 2**32 - 1}}, {"user": {"groups": ["x"]}}, {"volumes": [{}]}):
            r = self.expect(PROTOCOL, ("answer", http(200, self.document(**keys))))
            self.assertEqual(r.stdout, b"", keys)

    def test_granted_but_cannot_be_applied(self):
        for keys in ({"argv": ["/bin/missing"]}, {"argv": [""]}, {"pwd": "/missing"}, {"pwd": "relative"}, {"pwd": "/a/../b"},
                     {"files": [{"path": "relative", "data": ""}]}, {"files": [{"path": "/etc", "data": ""}]},
                     {"files": [{"path": "/etc/../x", "data": ""}]}, {"files": [{"path": "/proc/x", "data": ""}]},
                     {"volumes": [dict(self.made["sealed"], name="v" * 65, path="/v")]}):
            r = self.expect(UNUSABLE, ("answer", http(200, self.document(**keys))))
            self.assertEqual(r.stdout, b"", keys)

    def test_the_largest_answer_and_one_byte_more(self):
        data = base64.b64encode(bytes(11 << 20)).decode()
        self.expect(0, ("answer", http(200, self.document("exit", "0", files=[{"path": "/big", "data": data}]))),
                    NACRE_CAS_TIMEOUT="60")
        self.expect(PROTOCOL, ("answer", http(200, b" " * ((16 << 20) + 1))))

    def test_hints_that_are_wrong_or_missing(self):
        self.expect(CONFIG, self.good(), says=b"NACRE_CONFIG_ID=SESSION/SERVICE", NACRE_CONFIG_ID=None)
        self.expect(CONFIG, self.good(), says=b"not SESSION/SERVICE", NACRE_CONFIG_ID="shop")
        self.expect(CONFIG, self.good(), says=b"NACRE_CAS=HOST", NACRE_CAS=None)
        self.expect(UNREACHED, self.good(), says=b"cannot be resolved", NACRE_CAS="no-such-host.invalid",
                    NACRE_CAS_TIMEOUT="1")
        for env in ({"NACRE_CAS": "host:99999"}, {"NACRE_CAS": ":1"}, {"NACRE_CAS_TIMEOUT": "soon"}, {"NACRE_LOG": "loud"},
                    {"NACRE_MEMORY": "much"}, {"NACRE_VOLUMES": "x"}, {"NACRE_VOLUMES": "x=/no/such/file"},
                    {"NACRE_MODE": "maybe"}):
            self.script(self.good())
            r = self.start(**env)
            self.assertEqual(r.returncode, 125, (env, r.stderr))
            self.assertIn(next(iter(env)).encode(), r.stderr)


if __name__ == "__main__":
    unittest.main()
