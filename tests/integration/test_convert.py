#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nacre convert, whole images: what comes out, what stays out of sight, what is refused."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
import unittest

from convert_util import LOADER, NACRE, PIN, ConvertCase, run, sealing_key, small_layer
from oci_build import Layer

CONFIG = {"Entrypoint": ["/bin/echo", "a word with blanks", "it's", 'say "hi"'],
          "Cmd": ["last"],
          "Env": ["PATH=/bin", "HIDDEN_NAME=hidden-value-0815", "LATER=a=b", "ODD=\u2028 \"q\" $HOME"],
          "WorkingDir": "/app", "ExposedPorts": {"4996/tcp": {}}, "StopSignal": "SIGINT",
          "Volumes": {"/data": {}}, "Labels": {"source-label": "source-label-value"},
          "Healthcheck": {"Test": ["CMD", "/bin/echo"]}}


class Convert(ConvertCase):
    def test_a_conversion_gives_an_image_a_session_and_one_line(self):
        out, err = self.convert_ok("--from", self.source(config=CONFIG), "--namespace", "team/blue",
                                   "--name", "flask")
        self.assertEqual(out, "team/blue/flask\n")
        self.assertIn("HEALTHCHECK is left out", err)
        self.assertIn("VOLUME /data", err)
        b = self.bundle()
        self.assertEqual(sorted(b.files), ["agent", "libos.elf", "manifest", "nacre-loader",
                                           "rootfs.nseal", "sigstruct"])
        config = b.config["config"]
        self.assertEqual(config["Entrypoint"], ["/nacre/nacre-loader"])
        self.assertEqual(config["Env"], ["NACRE_CONFIG_ID=team/blue/flask/service"])
        self.assertEqual(config["ExposedPorts"], {"4996/tcp": {}})
        self.assertEqual(config["StopSignal"], "SIGINT")
        self.assertNotIn("Healthcheck", config)
        self.assertNotIn("Volumes", config)
        self.assertNotIn("source-label", json.dumps(b.config))
        session = self.session()
        service = session["services"][0]
        self.assertEqual(session["name"], "team/blue/flask")
        self.assertEqual(service["command"], CONFIG["Entrypoint"] + CONFIG["Cmd"])
        self.assertEqual(service["environment"], {"PATH": "/bin", "HIDDEN_NAME": "hidden-value-0815",
                                                  "LATER": "a=b", "ODD": "\u2028 \"q\" $HOME"})
        self.assertEqual(service["pwd"], "/app")

    def test_the_measurement_in_the_session_is_that_of_the_bundle(self):
        self.convert_ok("--from", self.source(), "--command", "/bin/sh")
        b = self.bundle()
        code, out, err = run(NACRE, "measure", "--manifest", b.files["manifest"],
                             b.files["libos.elf"])
        self.assertEqual(code, 0, err)
        session = self.session()
        self.assertEqual(session["services"][0]["mrenclaves"], [out.strip()])
        code, shown, err = run(NACRE, "sigstruct", "verify", b.files["sigstruct"])
        self.assertEqual(code, 0, shown + err)
        code, shown, err = run(NACRE, "sigstruct", "show", "--json", b.files["sigstruct"])
        self.assertIn(out.strip(), shown)
        self.assertEqual(b.config["config"]["Labels"]["io.nacre.mrenclave"], out.strip())

    def test_the_key_of_the_session_opens_the_image(self):
        self.convert_ok("--from", self.source(), "--command", "/bin/sh")
        b = self.bundle()
        text = self.read("session.yml")
        with open(self.path("key"), "w", encoding="ascii") as f:
            f.write(sealing_key(text))
        code, _, err = run(NACRE, "verify", "--key", self.path("key"), b.files["rootfs.nseal"])
        self.assertEqual(code, 0, err)
        code, _, err = run(NACRE, "unseal", "--key", self.path("key"), "--out", self.path("tree"),
                           b.files["rootfs.nseal"])
        self.assertEqual(code, 0, err)
        with open(self.path("tree", "app", "plain-name-marker.txt"), "rb") as f:
            self.assertEqual(f.read(), b"content-marker-4711 " * 400)

    def test_nothing_of_the_source_shows(self):
        self.convert_ok("--from", self.source(config=CONFIG))
        key = sealing_key(self.read("session.yml"))
        markers = [b"hidden-value-0815", b"HIDDEN_NAME", b"content-marker-4711", b"hello.sh",
                   b"plain-name-marker", b"source-label", b"hello from the script", b"busybox",
                   b"a word with blanks", key.encode(), bytes.fromhex(key)]
        for folder, _, files in os.walk(self.path("out")):
            for name in files:
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                for m in markers:
                    self.assertNotIn(m, data, f"{m} in {name}")
        # The same search finds them where they must be, so it can find.
        self.assertIn("hidden-value-0815", self.read("session.yml"))

    def test_the_session_file_is_private_and_never_overwritten_unasked(self):
        source = self.source()
        self.convert_ok("--from", source, "--command", "/bin/sh")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("session.yml")).st_mode), 0o600)
        before = self.read("session.yml")
        code, out, err = self.convert("--from", source, "--command", "/bin/sh",
                                      to="oci:" + self.path("out2"))
        self.assertEqual((code, out), (1, ""))
        self.assertIn("--force", err)
        self.assertEqual(self.read("session.yml"), before)
        self.assertFalse(os.path.exists(self.path("out2")))
        # Asked, it is kept aside; and a conversion that fails puts it back.
        env = self.fake_skopeo(code=1)
        code, _, err = self.convert("--from", source, "--command", "/bin/sh", "--force",
                                    to="docker://r/app", env=env)
        self.assertEqual(code, 1, err)
        self.assertEqual(self.read("session.yml"), before)
        self.convert_ok("--from", source, "--command", "/bin/sh", "--force",
                        to="oci:" + self.path("out3"))
        self.assertEqual(self.read("session.yml.old"), before)
        self.assertNotEqual(self.read("session.yml"), before)
        code, out, err = run(NACRE, "convert", "--from", source, "--command", "/bin/sh", "--to",
                             "oci:" + self.path("out4"), "--cas-pin", PIN, "--session-out", "-",
                             env=self.env)
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("standard output is for the session's name", err)

    def test_equal_inputs_and_key_give_equal_bits(self):
        source = self.source(config=CONFIG)
        with open(self.path("master"), "w", encoding="ascii") as f:
            f.write("77" * 32)
        digests = []
        for n in ("1", "2"):
            self.convert_ok("--from", source, "--master-key", self.path("master"), "--namespace", "n",
                            "--name", "x", to=f"oci-archive:{self.path('a' + n)}",
                            session="s" + n, env={"SOURCE_DATE_EPOCH": "1700000000"})
            with open(self.path("a" + n), "rb") as f:
                digests.append(f.read())
        self.assertEqual(digests[0], digests[1])
        self.assertEqual(self.read("s1"), self.read("s2"))
        # And without a key of one's own they never do.
        self.convert_ok("--from", source, "--namespace", "n", "--name", "x", session="s3")
        self.assertNotEqual(sealing_key(self.read("s3")), sealing_key(self.read("s1")))

    def test_pieces_from_the_environment(self):
        secrets = ("secrets:\n    - name: api_ca_key\n      kind: private-key\n"
                   "    - name: flask_key\n      kind: private-key\n"
                   "    - name: flask\n      kind: x509\n      private_key: flask_key\n"
                   "      dns: api\n")
        files = ("     injection_files:\n        - path: /tls/flask.crt\n"
                 "          content: $$SCONE::flask.crt$$\n")
        self.convert_ok("--from", self.source(), "--command", "/bin/sh",
                        env={"SECRETS": secrets, "INJECTED_FILES": files})
        session = self.session()
        self.assertEqual([s["name"] for s in session["secrets"]],
                         ["nacre_sealing_key", "api_ca_key", "flask_key", "flask"])
        self.assertEqual(session["images"][0]["injection_files"][0]["path"], "/tls/flask.crt")

    def test_a_template_written_for_the_older_tool(self):
        with open(self.path("t.yml"), "w", encoding="ascii") as f:
            f.write("name: $NAMESPACE/$SESSION\nversion: \"0.3\"\n\naccess_policy:\n  read:\n"
                    "   - CREATOR\n  update:\n   - CREATOR\n\nservices:\n   - name: service\n"
                    "     image_name: service_image\n     mrenclaves: [$MRENCLAVE]\n"
                    "     command: \"$CMD\"\n     environment:\n        SCONE_MODE: hw\n$ENVVARS\n"
                    "     fspf_path: /fspf/fs.fspf\n     fspf_key: $SCONE_FSPF_KEY\n"
                    "     fspf_tag: $SCONE_FSPF_TAG\n\nimages:\n   - name: service_image\n"
                    "$INJECTED_FILES\n\n$SECRETS\n")
        self.convert_ok("--from", self.source(config=CONFIG), "--template", self.path("t.yml"),
                        "--command", "echo 'two words' plain",
                        env={"INJECTED_FILES": "     injection_files:\n        - path: /x\n"
                                               "          content: y"})
        service = self.session()["services"][0]
        self.assertEqual(service["command"], ["/bin/echo", "two words", "plain"])
        self.assertEqual(service["environment"]["SCONE_MODE"], "hw")
        self.assertEqual(service["environment"]["LATER"], "a=b")
        self.assertEqual(service["pwd"], "/app")

    def test_a_template_that_does_not_fit_the_image(self):
        good = subprocess.run([NACRE, "convert", "--print-template"], stdout=subprocess.PIPE,
                              check=True).stdout.decode()
        for old, new, words in (
                ("name: $NAME", "name: other/name", "the image will ask for"),
                ("- name: $SERVICE\n", "- name: another\n", "no service 'service'"),
                ("[$MRENCLAVE]", "[" + "0" * 63 + "1]", "does not allow this image"),
                ("    fspf_key: $$SCONE::nacre_sealing_key$$\n", "", "gives no key"),
                ("    pwd: $PWD", "    pdw: $PWD", "unknown key 'pdw'"),
                ("    pwd: $PWD", "    pwd: $NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE is missing")):
            with self.subTest(new=new):
                self.assertIn(old, good)
                with open(self.path("t.yml"), "w", encoding="ascii") as f:
                    f.write(good.replace(old, new, 1))
                code, out, err = self.convert("--from", self.source(name="s" + str(len(words))),
                                              "--command", "/bin/sh", "--template",
                                              self.path("t.yml"))
                self.assertEqual((code, out), (1, ""), err)
                self.assertIn(words, err)
                self.assertEqual(sorted(n for n in os.listdir(self.dir) if n.startswith(("out", "session"))),
                                 [])

    def test_shell_forms(self):
        for text, want in (("echo one 'two three'", ["/bin/echo", "one", "two three"]),
                           ("exec echo x", ["/bin/echo", "x"]),
                           ("echo $HOME", ["/bin/sh", "-c", "echo $HOME"]),
                           ("echo a && echo b", ["/bin/sh", "-c", "echo a && echo b"]),
                           ("cd /", ["/bin/sh", "-c", "cd /"]),
                           ("A=b echo", ["/bin/sh", "-c", "A=b echo"]),
                           ("nosuch thing", ["/bin/sh", "-c", "nosuch thing"])):
            with self.subTest(text=text):
                name = str(abs(hash(text)))
                self.convert_ok("--from", self.source(name="src" + name,
                                                      config={"Cmd": ["/bin/sh", "-c", text]}),
                                to="oci:" + self.path("o" + name), session="s" + name)
                self.assertEqual(self.session("s" + name)["services"][0]["command"], want)

    def test_programs_that_cannot_run_are_named(self):
        elf = bytearray(small_layer().bytes() and open("/bin/busybox", "rb").read(4096))
        arm = bytearray(elf)
        arm[18:20] = (183).to_bytes(2, "little")
        layer = (small_layer().add("bin/arm", data=bytes(arm), mode=0o755)
                 .add("bin/notexec", data=bytes(elf), mode=0o644)
                 .add("bin/text", data=b"just text\n" * 10, mode=0o755)
                 .add("bin/orphan", data=b"#!/usr/bin/python9\n", mode=0o755)
                 .add("bin/loop", data=b"#!/bin/loop\n", mode=0o755)
                 .symlink("bin/dangling", "/no/where").symlink("bin/round", "round"))
        source = self.source([layer.bytes()])
        for command, words in (("/bin/nothing", "has no file /bin/nothing"),
                               ("nothing", "has no program 'nothing'"),
                               ("/bin/arm", "is for aarch64"),
                               ("/bin/notexec", "is not executable"),
                               ("notexec", "is not executable"),
                               ("/bin/text", "neither an ELF file nor a script"),
                               ("/bin/orphan", "needs the interpreter /usr/bin/python9"),
                               ("/bin/loop", "script of scripts"),
                               ("/bin/dangling", "has no file"), ("/bin/round", "has no file"),
                               ("/app", "not a regular file"), ("'unbalanced", "without its partner"),
                               ("", "names no program")):
            with self.subTest(command=command):
                code, out, err = self.convert("--from", source, "--command", command)
                self.assertEqual((code, out), (1, ""), err)
                self.assertIn(words, err)
                self.assertFalse(os.path.exists(self.path("out")))
                self.assertFalse(os.path.exists(self.path("session.yml")))
        code, _, err = self.convert("--from", source, "--command", "/bin/sh", "--binary", "/bin/gone")
        self.assertEqual(code, 1)
        self.assertIn("--binary", err)
        code, _, err = self.convert("--from", self.source(name="none"))
        self.assertEqual(code, 1)
        self.assertIn("no ENTRYPOINT, no CMD", err)

    def test_users_become_numbers(self):
        for user, want in (("app", "1000:100:100,200"), ("1000", "1000:100:100,200"),
                           ("app:extra", "1000:200:200"), ("4711", "4711:0:0"),
                           ("4711:42", "4711:42:42"), ("root", None), ("0:0", None),
                           (":users", "0:100:100")):
            with self.subTest(user=user):
                name = "u" + user.replace(":", "_")
                self.convert_ok("--from", self.source(name=name, config={"Cmd": ["/bin/sh"],
                                                                         "User": user}),
                                to="oci:" + self.path("o" + name), session="s" + name)
                self.assertEqual(self.session("s" + name)["services"][0].get("user"), want)
        for user, words in (("nobody-here", "/etc/passwd does not know"),
                            ("app:nogroup", "/etc/group does not know")):
            code, _, err = self.convert("--from", self.source(name="b" + user[:3],
                                                              config={"Cmd": ["/bin/sh"], "User": user}))
            self.assertEqual(code, 1)
            self.assertIn(words, err)

    def test_malformed_configurations_name_the_field(self):
        for config, words in (({"Entrypoint": "/bin/sh"}, "Entrypoint"), ({"Cmd": [1]}, "Cmd[0]"),
                              ({"Env": ["NOEQUALS"]}, "Env[0]"), ({"WorkingDir": "app"}, "WorkingDir"),
                              ({"ExposedPorts": []}, "ExposedPorts"), ({"User": 7}, "User"),
                              ({"Cmd": ["/bin/sh"], "WorkingDir": "/missing"}, "WORKDIR")):
            with self.subTest(words=words):
                code, out, err = self.convert("--from", self.source(name="c" + words, config=config))
                self.assertEqual((code, out), (1 if words == "WORKDIR" else 3, ""), err)
                self.assertIn(words, err)

    def test_command_lines_that_are_wrong(self):
        source = self.source()
        for words, expected in ((("--command", "/bin/sh", "--name", "a/b"), "holds a '/'"),
                                (("--command", "/bin/sh", "--name", "a b"), "no session name"),
                                (("--command", "/bin/sh", "--env", "X"), "NAME=VALUE"),
                                (("--sign-dump", "x"), "--master-key"),
                                (("--compress", "lz4"), "three times"),
                                (("--cas-pin", "xyz"), "64 hex digits")):
            with self.subTest(words=words):
                code, out, err = self.convert("--from", source, *words)
                self.assertEqual((code, out), (2, ""), err)
                self.assertIn(expected, err)
        code, _, err = self.convert("--from", source, pin=None)
        self.assertEqual(code, 2)
        self.assertIn("--cas-pin", err)
        for to, expected in (("", "name is empty"), ("oci:", "a path is missing"),
                             ("oci:" + self.path("src"), "exists already")):
            code, _, err = run(NACRE, "convert", "--from", source, "--command", "/bin/sh", "--to", to,
                               "--cas-pin", PIN, "--session-out", self.path("session.yml"),
                               env=self.env)
            self.assertNotEqual(code, 0)
            self.assertIn(expected, err)
            self.assertFalse(os.path.exists(self.path("session.yml")))
        code, _, err = self.convert("--from", source, "--command", "/bin/sh", "--host-path", "etc")
        self.assertEqual(code, 1)
        self.assertIn("--host-path", err)

    def test_signing_elsewhere(self):
        source = self.source()
        with open(self.path("master"), "w", encoding="ascii") as f:
            f.write("78" * 32)
        common = ["--from", source, "--command", "/bin/sh", "--master-key", self.path("master"),
                  "--namespace", "n"]
        env = {"SOURCE_DATE_EPOCH": "1700000000"}
        out, _ = self.convert_ok(*common, "--sign-dump", self.path("tbs"), env=env)
        self.assertEqual(out, "")
        self.assertFalse(os.path.exists(self.path("out")))
        self.assertFalse(os.path.exists(self.path("session.yml")))
        for words in (("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-pkeyopt",
                       "rsa_keygen_pubexp:3", "-out", "k.pem"),
                      ("pkey", "-in", "k.pem", "-pubout", "-out", "p.pem"),
                      ("dgst", "-sha256", "-sign", "k.pem", "-out", "tbs.sig", "tbs")):
            subprocess.run(["openssl", *words], cwd=self.dir, check=True, stderr=subprocess.DEVNULL)
        signed = ["--signature", self.path("tbs.sig"), "--public-key", self.path("p.pem")]
        # Anything that changes the measurement makes the signature worthless.
        code, out, err = self.convert(*common[:-1], "other", *signed, env=env)
        self.assertEqual((code, out), (3, ""), err)
        self.assertIn("not a signature over this conversion", err)
        self.assertFalse(os.path.exists(self.path("out")))
        self.convert_ok(*common, *signed, env=env)
        b = self.bundle()
        code, shown, err = run(NACRE, "sigstruct", "verify", b.files["sigstruct"])
        self.assertEqual(code, 0, shown + err)

    def test_every_destination_of_a_file(self):
        source = self.source()
        for to in ("oci-archive:" + self.path("a.tar") + ":v1",
                   "docker-archive:" + self.path("d.tar") + ":app:v1"):
            with self.subTest(to=to):
                self.convert_ok("--from", source, "--command", "/bin/sh", to=to, session=to[:4])
                # Our own reader takes what our writer wrote.
                code, _, err = run(NACRE, "seal", "--from", to, "--key-out", self.path("k" + to[0]),
                                   self.path("again"), env=self.env)
                self.assertEqual(code, 0, err)

    def big_source(self):
        return self.source([small_layer().add("big", data=os.urandom(40 << 20)).bytes()], name="big",
                           compress="none")

    def test_stopped_and_killed_conversions_leave_nothing(self):
        source = self.big_source()
        before = set(os.listdir(self.dir)) | {"state"}
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            for delay in (0.05, 0.15, 0.3):
                p = subprocess.Popen([NACRE, "convert", "--from", source, "--command", "/bin/sh", "--to",
                                      "oci:out", "--cas-pin", PIN, "--session-out", "session.yml"],
                                     cwd=self.dir, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL, env={**os.environ, **self.env})
                time.sleep(delay)
                p.send_signal(sig)
                if p.wait(30) != -sig:
                    self.assertEqual(p.returncode, 0)  # it was faster
                    shutil.rmtree(self.path("out"))
                    os.unlink(self.path("session.yml"))
                    continue
                left = set(os.listdir(self.dir)) - before
                if sig == signal.SIGKILL:
                    # Nothing can tidy up then; nothing has a final name, and the next run is not hindered.
                    self.assertFalse(os.path.exists(self.path("out")), left)
                    for n in left:
                        shutil.rmtree(self.path(n), ignore_errors=True)
                    if os.path.exists(self.path("session.yml")):
                        os.unlink(self.path("session.yml"))
                else:
                    # All or nothing: told to stop after the naming, both are there.
                    self.assertIn(left, (set(), {"out", "session.yml"}))
                    if left:
                        shutil.rmtree(self.path("out"))
                        os.unlink(self.path("session.yml"))

    @unittest.skipIf(os.geteuid() != 0, "mounting a small disk needs root")
    def test_a_full_disk(self):
        source = self.big_source()
        os.mkdir(self.path("full"))
        for size in ("1m", "45m", "60m"):  # before, while sealing, while writing the layer
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "none", self.path("full")],
                           check=True)
            try:
                code, out, err = self.convert("--from", source, "--command", "/bin/sh",
                                              to="oci:" + self.path("full", "out"))
                self.assertEqual((code, out), (1, ""), err)
                self.assertIn("No space left", err)
                self.assertEqual(os.listdir(self.path("full")), [])
                self.assertFalse(os.path.exists(self.path("session.yml")))
            finally:
                subprocess.run(["umount", self.path("full")], check=True)

    def test_layers_that_are_wrong(self):
        good = small_layer().bytes()
        for name, kw, layers, code, words in (
                ("digest", {"diff_ids": ["sha256:" + "0" * 64]}, [good], 3, "was promised"),
                ("arch", {"arch": "arm64"}, [good], 1, "linux/arm64"),
                ("cut", {"compress": "none"}, [good[:5000]], 3, "layer 1"),
                ("dots", {}, [Layer().add("../evil", data=b"x").bytes()], 1, "'..'"),
                ("outlink", {}, [Layer().symlink("a", "../..").add("a/x", data=b"x").bytes()], 1,
                 "leaves the image"),
                ("hardlink", {}, [Layer().hardlink("a", "nope").bytes()], 1, "hard link")):
            with self.subTest(name=name):
                got, out, err = self.convert("--from", self.source(layers, name=name, **kw), "--command",
                                             "/bin/sh")
                self.assertEqual((got, out), (code, ""), err)
                self.assertIn(words, err)
                self.assertFalse(os.path.exists(self.path("out")))
                self.assertFalse(os.path.exists(self.path("session.yml")))

    def fake_skopeo(self, code=0):
        """Stands for skopeo: registries and engines are directories below $STORE."""
        os.makedirs(self.path("bin"), exist_ok=True)
        with open(self.path("bin", "skopeo"), "w", encoding="ascii") as f:
            f.write("#!/bin/bash\n"
                    "echo \"$@\" >> $STORE/calls\n"
                    "from=${@: -2:1}; to=${@: -1}\n"
                    "place() { case $1 in oci:*) p=${1#oci:}; echo ${p%:*};; *) echo $STORE/${1//[:\\/]/_};; esac; }\n"
                    f"[ {code} = 0 ] && mkdir -p $(place $to) && cp -r $(place $from)/. $(place $to)\n"
                    f"exit {code}\n")
        os.chmod(self.path("bin", "skopeo"), 0o755)
        os.makedirs(self.path("store"), exist_ok=True)
        os.makedirs(self.path("tmp"), exist_ok=True)
        return {"PATH": self.path("bin") + ":" + os.environ["PATH"], "STORE": self.path("store"),
                "TMPDIR": self.path("tmp")}

    def test_registries_and_engines_through_skopeo(self):
        for transport in ("docker://reg.example.org/team/app:1", "docker-daemon:app:1",
                          "containers-storage:localhost/app"):
            with self.subTest(transport=transport):
                env = self.fake_skopeo()
                shutil.rmtree(self.path("store"))
                os.mkdir(self.path("store"))
                stored = re.sub("[:/]", "_", transport)
                self.source(name=os.path.join("store", stored))
                out, _ = self.convert_ok("--from", transport, "--to", transport + "-sealed",
                                         "--command", "/bin/sh", env=env, session=stored, to=None)
                self.assertEqual(out.split("/")[-1].strip(), "app" if ":1" in transport else "app-sealed")
                self.assertTrue(os.path.exists(self.path("store", stored + "-sealed", "index.json")))
                calls = self.read("store/calls").splitlines()
                self.assertEqual(len(calls), 2)
                for c in calls:
                    self.assertTrue(c.startswith("copy --quiet --override-os linux --override-arch amd64 "))
                self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_skopeo_that_fails_or_is_missing(self):
        env = self.fake_skopeo(code=1)
        code, out, err = self.convert("--from", self.source(), "--command", "/bin/sh",
                                      to="docker://reg.example.org/app:1", env=env)
        self.assertEqual((code, out), (1, ""), err)
        self.assertIn("skopeo could not copy", err)
        self.assertFalse(os.path.exists(self.path("session.yml")))
        self.assertEqual(os.listdir(self.path("tmp")), [])
        os.mkdir(self.path("empty"))
        for words in (("--from", "oci:" + self.path("src"), "--to", "docker://r/app"),
                      ("--from", "docker://r/app", "--to", "oci:x")):
            code, out, err = run(NACRE, "convert", *words, "--cas-pin", PIN, "--command", "/bin/sh",
                                 "--session-out", self.path("s"),
                                 env={**self.env, "PATH": self.path("empty")})
            self.assertEqual((code, out), (1, ""), err)
            self.assertIn("apt-get install skopeo", err)

    def test_names_derived_from_the_destination(self):
        env = self.fake_skopeo()
        for to, want in (("docker-archive:" + self.path("my app.tar") + ":x:1", "my-app.tar"),
                         ("containers-storage:[vfs@/r+/run]app:1", "app"),
                         ("docker://reg.example.org:5000/team/web@sha256:" + "0" * 64, "web")):
            with self.subTest(to=to):
                out, _ = self.convert_ok("--from", self.source(name="s-" + want), "--command", "/bin/sh", to=to,
                                         env=env, session=want)
                namespace, name = out.strip().split("/")
                self.assertRegex(namespace, "^NS-[0-9a-f]{16}$")
                self.assertEqual(name, want)


if __name__ == "__main__":
    unittest.main()
