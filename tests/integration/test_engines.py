#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images where people have them: in a docker daemon, in containers-storage, in a registry. Real ones, started here for
the purpose with everything they keep below one directory, and fetched from and copied to by skopeo. What arrives is,
entry by entry, what umoci unpacks from the image that was put there."""
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
import unittest

import oci_build
from convert_util import NACRE, ConvertCase, busybox, run
from oci_build import Layer
from test_image_content import entries

NEEDS = [x for x in ("skopeo", "umoci") if not shutil.which(x)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def layers():
    """Several layers with what an engine could lose: links, owners, attributes, whiteouts, odd names."""
    first = (Layer()
             .dir("./", mode=0o755, mtime=1600000000)
             .dir("bin").add("bin/busybox", data=busybox(), mode=0o755).symlink("bin/sh", "busybox")
             .dir("dev").add("dev/null", tarfile.CHRTYPE, mode=0o666, dev=(1, 3))
             .dir("etc").add("etc/passwd", data=b"root:x:0:0::/:/bin/sh\n", mode=0o600)
             .dir("etc/conf.d").add("etc/conf.d/a", data=b"a").add("etc/conf.d/b", data=b"b")
             .dir("opt").dir("opt/old").add("opt/old/x", data=b"x")
             .dir("var", mode=0o1777, uid=33, gid=44)
             .add("var/shared", data=b"s" * 5000, uid=1000, gid=100000).hardlink("var/other", "var/shared")
             .add("var/attr", data=b"x", xattrs={"user.one": "1"})
             .add("var/setuid", data=b"#!", mode=0o4755)
             .add("var/" + "n" * 200, data=b"long name")
             .add("var/日本語 and\nmore", data="ü".encode()))
    second = (Layer()
              .dir("etc", mtime=1650000000).add("etc/.wh.passwd")
              .dir("etc/conf.d", mode=0o700).add("etc/conf.d/.wh..wh..opq").add("etc/conf.d/c", data=b"c")
              .dir("opt", mtime=1650000000).add("opt/.wh.old")
              .dir("var", mode=0o1777, uid=33, gid=44).add("var/shared", data=b"own content now"))
    return [first.bytes(), second.bytes()]


@unittest.skipIf(os.geteuid() != 0, "engines, owners and devices need root")
@unittest.skipIf(NEEDS, f"{' '.join(NEEDS)} not installed")
class Engines(ConvertCase):
    def setUp(self):
        super().setUp()
        oci_build.make(self.path("src"), layers(), config={"Cmd": ["/bin/busybox", "true"]})
        self.layout = "oci:" + self.path("src") + ":latest"
        self.command(["umoci", "unpack", "--image", self.path("src") + ":latest", self.path("bundle")])
        os.mkdir(self.path("tmp"))
        self.env["TMPDIR"] = self.path("tmp")

    def command(self, words, **env):
        r = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                           env={**os.environ, **env})
        self.assertEqual(r.returncode, 0, f"{words}\n{r.stdout.decode(errors='replace')}")
        return r.stdout.decode()

    def serve(self, words, ready, env=None):
        """Starts a server that ends with the test; the reason to skip when it does not come up."""
        with open(self.path("server.log"), "wb") as log:
            server = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, **(env or {})})
        self.addCleanup(self.stop, server)
        for _ in range(300):
            if ready():
                return
            if server.poll() is not None:
                break
            time.sleep(0.1)
        with open(self.path("server.log"), encoding="utf-8", errors="replace") as log:
            self.skipTest(f"{words[0]} does not start: " + log.read()[-300:].replace("\n", " "))

    def stop(self, server):
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    def same_entries(self, reference, **env):
        """What is sealed from there is what umoci unpacks from the image that went there."""
        code, _, err = run(NACRE, "seal", "--from", reference, "--key-out", self.path("key"), "--force",
                           self.path("sealed"), env={**self.env, **env})
        self.assertEqual(code, 0, err)
        shutil.rmtree(self.path("ours"), ignore_errors=True)
        self.command([NACRE, "unseal", "--key", self.path("key"), "--out", self.path("ours"), self.path("sealed")])
        ours = entries(self.path("ours"))
        theirs = entries(self.path("bundle", "rootfs"))
        self.assertEqual(sorted(ours), sorted(theirs))
        for name in theirs:
            self.assertEqual(ours[name], theirs[name], name)

    def there_and_back(self, source, sealed, session, **env):
        """Converts from that place into it; what lies there then fits together."""
        out, err = self.convert_ok("--from", source, "--to", sealed, "--namespace", "shop", "--name", session, env=env)
        self.assertEqual(out, f"shop/{session}\n")
        self.assertTrue(os.path.exists(self.path("session.yml")), err)
        code, out, err = run(NACRE, "inspect", "--json", sealed, env={**self.env, **env})
        self.assertEqual(code, 0, err)
        self.assertTrue(json.loads(out)["sealed_root"])
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def refused(self, *words, **env):
        code, out, err = self.convert(*words, "--command", "/bin/sh", env=env)
        self.assertEqual((code, out), (1, ""), err)
        self.assertFalse(os.path.exists(self.path("session.yml")))
        self.assertEqual(os.listdir(self.path("tmp")), [])
        return err

    @unittest.skipIf(shutil.which("dockerd") is None or shutil.which("docker") is None, "docker is not installed")
    def test_docker_daemon(self):
        where = self.path("docker")
        os.mkdir(where)
        port = free_port()
        host = f"unix://{where}/sock"

        def answers():
            return subprocess.run(["docker", "version"], env={**os.environ, "DOCKER_HOST": host}, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        self.serve(["dockerd", "--data-root", f"{where}/data", "--exec-root", f"{where}/exec", "-H", host, "-H",
                    f"tcp://127.0.0.1:{port}", "--tls=false", "--pidfile", f"{where}/pid", "--bridge=none",
                    "--iptables=false"], answers)
        self.command(["skopeo", "copy", "-q", self.layout, "docker-archive:" + self.path("app.tar") + ":app:1"])
        self.command(["docker", "load", "-i", self.path("app.tar")], DOCKER_HOST=host)
        for at in (host, f"tcp://127.0.0.1:{port}"):
            with self.subTest(at=at):
                self.same_entries("docker-daemon:app:1", DOCKER_HOST=at)
        self.there_and_back("docker-daemon:app:1", "docker-daemon:app-sealed:1", "app", DOCKER_HOST=host)
        self.assertIn("io.nacre.sealed-root", self.command(["docker", "image", "inspect", "app-sealed:1"],
                                                           DOCKER_HOST=host))
        os.unlink(self.path("session.yml"))
        self.assertIn("skopeo could not copy docker-daemon:none:1",
                      self.refused("--from", "docker-daemon:none:1", DOCKER_HOST=host))
        self.assertIn("skopeo does not go by ssh",
                      self.refused("--from", "docker-daemon:app:1", DOCKER_HOST="ssh://nobody@example.org"))
        self.assertIn("could not copy", self.refused("--from", "docker-daemon:app:1",
                                                     DOCKER_HOST=f"unix://{where}/no-such-sock"))
        self.assertIn("could not copy", self.refused("--from", "docker-daemon:app:1",  # it has no certificate
                                                     DOCKER_HOST=f"tcp://127.0.0.1:{port}", DOCKER_TLS_VERIFY="1"))

    def test_containers_storage(self):
        root, runroot = self.path("storage"), self.path("run")
        with open(self.path("storage.conf"), "w", encoding="ascii") as f:
            f.write(f'[storage]\ndriver = "vfs"\ngraphroot = "{root}"\nrunroot = "{runroot}"\n')
        conf = {"CONTAINERS_STORAGE_CONF": self.path("storage.conf")}
        self.command(["skopeo", "copy", "-q", self.layout, "containers-storage:localhost/app:1"], **conf)
        self.same_entries("containers-storage:localhost/app:1", **conf)
        self.there_and_back("containers-storage:localhost/app:1", "containers-storage:localhost/app-sealed:1", "app",
                            **conf)
        os.unlink(self.path("session.yml"))
        # The place can also stand in the name, as for podman and buildah.
        place = f"containers-storage:[vfs@{root}+{runroot}]"
        self.same_entries(place + "localhost/app:1")
        self.there_and_back(place + "localhost/app:1", place + "localhost/app-sealed:2", "app")
        os.unlink(self.path("session.yml"))
        self.refused("--from", place + "localhost/none:1")

    def certificate(self):
        self.command(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry",
                      "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.path("tls.key"), "-out",
                      self.path("tls.crt")])

    @unittest.skipIf(shutil.which("docker-registry") is None, "docker-registry is not installed")
    def test_registry(self):
        port = free_port()
        self.certificate()
        with open(self.path("registry.yml"), "w", encoding="ascii") as f:
            f.write(f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {self.path('registry')}}}}}\n"
                    f"http:\n  addr: 127.0.0.1:{port}\n  tls:\n    certificate: {self.path('tls.crt')}\n"
                    f"    key: {self.path('tls.key')}\n")

        def answers():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        self.serve(["docker-registry", "serve", self.path("registry.yml")], answers)
        home = {"HOME": self.path("home")}
        certs = self.path("home", ".config", "containers", "certs.d", f"127.0.0.1:{port}")
        image = f"docker://127.0.0.1:{port}/team/app:1"
        os.makedirs(certs)
        self.assertIn("skopeo could not copy", self.refused("--from", image, **home))  # a stranger's certificate
        shutil.copy(self.path("tls.crt"), os.path.join(certs, "ca.crt"))
        self.refused("--from", image, **home)  # no such image
        self.command(["skopeo", "copy", "-q", self.layout, image], **home)
        self.same_entries(image, **home)
        self.there_and_back(image, f"docker://127.0.0.1:{port}/team/app-sealed:1", "app", **home)
        self.same_entries(f"docker://127.0.0.1:{port}/team/app@" + self.digest(image, home), **home)

    def digest(self, image, env):
        return self.command(["skopeo", "inspect", "--format", "{{.Digest}}", image], **env).strip()


if __name__ == "__main__":
    unittest.main()
