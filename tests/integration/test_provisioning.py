#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""End to end: `nacre cas serve`, a session, a bundle. The application sees what its session says it may,
and each enclave, session or CAS that is not the right one gets nothing."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from test_agent import DENIED, PROTOCOL, UNREACHED, UNUSABLE, AGENT, LIBOS, LOADER, NACRE, image, make_bundle
from test_cas import Server, make_identity, run, spki_hash

SECRET = re.compile(r"^.{20}$")


class Cas(Server):
    def __init__(self, folder, root):
        super().__init__(folder, "--provision-listen", "127.0.0.1:0", "--software-root", root)
        port = re.search(r"provisioning on 127\.0\.0\.1:(\d+)", self.hello).group(1)
        self.address = "127.0.0.1:" + port

    def audit(self):
        with open(os.path.join(self.folder, "audit.log"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def key_hash(self):
        return spki_hash(self.cert)


class EndToEnd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="test-provisioning-", dir=os.environ["NACRE_BUILD_ROOT"])
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.state = os.path.join(cls.dir, "state")
        os.environ["NACRE_STATE_DIR"] = cls.state
        cls.addClassCleanup(os.environ.pop, "NACRE_STATE_DIR")
        cls.root_dir = os.path.join(cls.dir, "root")
        r = run(NACRE, "softsgx", "root", "--export", cls.root_dir)
        assert r.returncode == 0, r.stderr
        cls.software_root = spki_hash(os.path.join(cls.root_dir, "root_ca.pem"))
        cls.alice = make_identity(cls.dir, "alice")
        cls.cas = Cas(os.path.join(cls.dir, "cas"), cls.root_dir)
        cls.addClassCleanup(cls.cas.stop)
        cls.work = os.path.join(cls.dir, "keys")
        cls.bundle = os.path.join(cls.dir, "bundle")
        cls.made = make_bundle.make(cls.bundle, NACRE, LOADER, LIBOS, AGENT, image(cls.dir, "layout"), cls.cas.key_hash(),
                                    cls.work, ["--env", "TZ"])

    def session(self, name, service=None, security=None, expect=201, **more):
        service = {"name": "web", "command": "/bin/probe one two", "mrenclaves": [self.made["mrenclave"]], "pwd": "/etc",
                   "fspf_key": self.made["sealed"]["key"], "sealed_root": self.made["sealed"]["root"], **(service or {})}
        doc = {"name": name, "version": "0.3", "services": [{k: v for k, v in service.items() if v is not None}],
               "security": security or {"attestation": {"mode": "software", "software_roots": [self.software_root]}}, **more}
        status, r = self.cas.put(json.dumps(doc), self.alice)
        self.assertEqual(status, expect, r)
        return r

    def start(self, config, bundle=None, cas=None, **env):
        full = {"NACRE_MODE": "soft", "NACRE_STATE_DIR": self.state, "NACRE_CAS": (cas or self.cas).address,
                "NACRE_CONFIG_ID": config, "NACRE_CAS_TIMEOUT": "5", **env}
        return subprocess.run(["timeout", "-k", "1", "60", os.path.join(bundle or self.bundle, "nacre-loader")], env=full,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)

    def run_session(self, config, expect=0, **kw):
        r = self.start(config, **kw)
        self.assertEqual(r.returncode, expect, (r.stdout, r.stderr, self.cas.audit()[-1]))
        return r

    def denied(self, config, kind, words="", **kw):
        r = self.run_session(config, DENIED, **kw)
        self.assertEqual(r.stdout, "")
        line = self.cas.audit()[-1]
        self.assertEqual((line["event"], line["class"]), ("provision.denied", kind), line)
        self.assertIn(words, line["reason"])
        self.assertIn(line["reference"], r.stderr)
        self.assertNotIn(line["reason"], r.stderr)

    def test_the_application_sees_what_its_session_grants(self):
        self.session("full", {"environment": {"PASSWORD": "$$SCONE::pw$$", "MODE": "test"}, "image_name": "img"},
                     secrets=[{"name": "pw", "kind": "ascii", "size": 20}],
                     images=[{"name": "img", "injection_files": [
                         {"path": "/etc/app.conf", "content": "pw=$$SCONE::pw$$", "permission": "0o440"}]}])
        r = self.run_session("full/web", TZ="UTC", OTHER="no")
        lines = r.stdout.splitlines()
        env = dict(line[4:].split("=", 1) for line in lines if line.startswith("env "))
        self.assertEqual(set(env), {"PASSWORD", "MODE", "TZ"})
        self.assertRegex(env["PASSWORD"], SECRET)
        self.assertEqual([x for x in lines if x.startswith("arg ")], ["arg /bin/probe", "arg one", "arg two"])
        self.assertIn("cwd /etc", lines)
        self.session("show", {"command": "/bin/probe show /etc/app.conf /etc/config", "image_name": "img"},
                     images=[{"name": "img", "injection_files": [{"path": "/etc/app.conf", "content": "made", "permission": "0o440"}]}])
        self.assertEqual(self.run_session("show/web").stdout.splitlines(),
                         ["/etc/app.conf 440 0 0 made", "/etc/config 644 0 0 from the image"])
        line = self.cas.audit()[-1]
        self.assertEqual((line["event"], line["session"], line["service"], line["mrenclave"]),
                         ("provision", "show", "web", self.made["mrenclave"]))
        for text in (r.stderr, json.dumps(self.cas.audit())):
            self.assertNotIn(env["PASSWORD"], text)
            self.assertNotIn(self.made["sealed"]["key"], text)

    def test_a_session_written_for_scone_has_key_and_tag(self):
        root = self.made["sealed"]["root"]
        for name, service in (("tag", {"fspf_tag": root[:32], "fspf_path": "/fspf/fs.fspf"}), ("key-alone", {})):
            self.session(name, {"sealed_root": None, "command": "/bin/probe show /etc/config", **service})
            self.assertEqual(self.run_session(name + "/web").stdout, "/etc/config 644 0 0 from the image\n")
        self.session("wrong-tag", {"sealed_root": None, "fspf_tag": "00" + root[2:32]})
        r = self.run_session("wrong-tag/web", UNUSABLE)
        self.assertIn("not the one this enclave is measured with", r.stderr)

    def test_the_interface_is_closed_and_the_application_attests(self):
        self.session("probe", {"command": "/bin/probe closed"})
        self.assertIn("closed: 0 found", self.run_session("probe/web").stdout)

    def test_wrong_enclave_wrong_session_wrong_root(self):
        self.session("strict", {"mrenclaves": ["11" * 32]})
        self.denied("strict/web", "policy", "MRENCLAVE")
        self.denied("nobody/web", "session")
        self.session("one")
        self.denied("one/other", "session")
        self.session("hardware", security={"attestation": {"mode": "hardware"}})
        self.denied("hardware/web", "appraisal", "proves nothing about hardware")

    def test_another_sealed_image_with_its_right_key(self):
        out = os.path.join(self.dir, "other")
        other = make_bundle.make(out, NACRE, LOADER, LIBOS, AGENT, image(self.dir, "other-layout", b"!"), self.cas.key_hash(),
                                 os.path.join(self.dir, "other-keys"))
        self.session("swapped", {"mrenclaves": [self.made["mrenclave"], other["mrenclave"]]})
        r = self.run_session("swapped/web", UNUSABLE, bundle=out)
        self.assertIn("not the one this enclave is measured with", r.stderr)

    def test_a_cas_with_another_key(self):
        self.session("mine")
        fake = Cas(os.path.join(self.dir, "fake-cas"), self.root_dir)
        try:
            r = self.run_session("mine/web", PROTOCOL, cas=fake)
            self.assertIn("another key", r.stderr)
            self.assertEqual([e for e in fake.audit() if e["event"].startswith("provision")], [])
        finally:
            fake.stop()

    def test_a_cas_that_is_down(self):
        cas = Cas(os.path.join(self.dir, "down"), self.root_dir)
        address = cas.address
        self.assertEqual(cas.stop(), 0)
        r = self.start("x/web", NACRE_CAS=address, NACRE_CAS_TIMEOUT="2")
        self.assertEqual(r.returncode, UNREACHED, r.stderr)
        self.assertIn("no answer from the CAS in 2 seconds", r.stderr)

    def test_a_volume_of_the_session(self):
        """Its key and root come from the session, the file from the host."""
        volume, key = os.path.join(self.work, "volume.nseal"), os.path.join(self.work, "volume.key")
        root = make_bundle.run(NACRE, "seal", "--from", image(self.dir, "volume", b" volume"), "--key-out", key, "--force",
                               volume).strip()
        with open(key, encoding="ascii") as f:
            fspf_key = f.read().strip()
        self.session("volumes", {"command": "/bin/probe show /srv/data/etc/config", "image_name": "img"},
                     volumes=[{"name": "data", "fspf_key": fspf_key, "sealed_root": root}],
                     images=[{"name": "img", "volumes": [{"name": "data", "path": "/srv/data"}]}])
        r = self.run_session("volumes/web", NACRE_VOLUMES="data=" + volume)
        self.assertEqual(r.stdout, "/srv/data/etc/config 644 0 0 from the image volume\n")
        self.run_session("volumes/web", UNUSABLE)
        self.run_session("volumes/web", UNUSABLE, NACRE_VOLUMES="data=" + os.path.join(self.bundle, "rootfs.nseal"))


if __name__ == "__main__":
    unittest.main()
