# SPDX-License-Identifier: Apache-2.0
"""What the tests of `nacre convert` share: source images, running the verb, taking a converted image
apart again."""
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest

import oci_build
from oci_build import Layer

NACRE = os.environ["NACRE"]
LOADER = os.environ["NACRE_LOADER"]
PIN = "ab" * 32
BUSYBOX = "/bin/busybox"


def run(*words, env=None, cwd=None):
    full = dict(os.environ)
    for name in ("SECRETS", "INJECTED_FILES", "SOURCE_DATE_EPOCH", "NACRE_CAS_PIN", "DOCKER_HOST"):
        full.pop(name, None)
    full.update(env or {})
    r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, env=full,
                       cwd=cwd)
    return r.returncode, r.stdout.decode(), r.stderr.decode(errors="replace")


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def busybox():
    return read_bytes(BUSYBOX)


def small_layer():
    return (Layer().dir("bin").add("bin/busybox", data=busybox(), mode=0o755)
            .symlink("bin/sh", "busybox").symlink("bin/echo", "/bin/busybox")
            .dir("etc").add("etc/passwd", data=b"root:x:0:0::/:/bin/sh\napp:x:1000:100::/:/bin/sh\n")
            .add("etc/group", data=b"users:x:100:\nextra:x:200:app,other\n")
            .dir("app").add("app/hello.sh", data=b"#!/bin/sh\necho hello from the script $1\n",
                            mode=0o755)
            .add("app/plain-name-marker.txt", data=b"content-marker-4711 " * 400)
            .dir("tmp", mode=0o1777))


class Bundle:
    """A converted image in an OCI layout, taken apart."""

    def __init__(self, layout, into):
        with open(os.path.join(layout, "index.json"), encoding="utf-8") as f:
            self.index = json.load(f)
        self.manifest = json.loads(self.blob(layout, self.index["manifests"][0]["digest"]))
        self.config = json.loads(self.blob(layout, self.manifest["config"]["digest"]))
        self.layers = [os.path.join(layout, "blobs", "sha256", d["digest"][7:])
                       for d in self.manifest["layers"]]
        self.files = {}
        os.makedirs(into, exist_ok=True)
        with tarfile.open(self.layers[-1]) as tar:
            self.members = tar.getmembers()
            for m in self.members:
                if m.isfile():
                    name = os.path.basename(m.name)
                    path = os.path.join(into, name)
                    with open(path, "wb") as f:
                        shutil.copyfileobj(tar.extractfile(m), f)
                    self.files[name] = path

    @staticmethod
    def blob(layout, digest):
        with open(os.path.join(layout, "blobs", "sha256", digest[7:]), "rb") as f:
            data = f.read()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
        return data


def sealing_key(session_text):
    """The value of nacre_sealing_key in a session file."""
    lines = session_text.splitlines()
    at = next(i for i, s in enumerate(lines) if "name: nacre_sealing_key" in s)
    value = next(s for s in lines[at:] if s.strip().startswith("value:"))
    return value.split(":", 1)[1].strip().strip('"')


@unittest.skipUnless(os.path.exists(BUSYBOX), "busybox-static is not installed: nothing to put in")
class ConvertCase(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nacre-test-convert-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.env = {"NACRE_STATE_DIR": os.path.join(self.dir, "state")}

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def source(self, layers=None, name="src", **kw):
        oci_build.make(self.path(name), layers or [small_layer().bytes()], **kw)
        return "oci:" + self.path(name)

    def convert(self, *words, to=None, session="session.yml", env=None, pin=PIN):
        to = to or "oci:" + self.path("out")
        pins = ["--cas-pin", pin] if pin else []
        to = [] if "--to" in words else ["--to", to]
        return run(NACRE, "convert", *to, "--agent", LOADER, *pins, "--session-out",
                   self.path(session), *words, env={**self.env, **(env or {})}, cwd=self.dir)

    def convert_ok(self, *words, **kw):
        code, out, err = self.convert(*words, **kw)
        self.assertEqual(code, 0, err)
        return out, err

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def bundle(self, layout="out"):
        return Bundle(self.path(layout), self.path(layout + "-files"))

    def session(self, name="session.yml"):
        """The session as JSON."""
        code, out, err = run(NACRE, "session", "show", "--json", self.path(name))
        self.assertEqual(code, 0, err)
        return json.loads(out)
