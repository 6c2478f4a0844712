#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sconify_image: nacre's conversion under the name and with the options of SCONE's tool."""
import os
import re
import unittest

from convert_util import LOADER, NACRE, PIN, ConvertCase, run

SCONIFY = os.path.join(os.path.dirname(NACRE), "sconify_image")
TABLE = os.path.join(os.environ["NACRE_SOURCE_ROOT"], "src", "cli", "sconify.tbl.h")

SECRETS = """secrets:
    - name: api_ca_key
      kind: private-key
    - name: api_ca_cert
      kind: x509-ca
      private_key: api_ca_key
      common_name: API_CA
      export_public: true
    - name: flask_key
      kind: private-key
    - name: flask
      kind: x509
      private_key: flask_key
      issuer: api_ca_cert
      common_name: api
      dns:
        - api
"""
FILES = """     injection_files:
        - path: /tls/flask.crt
          content: $$SCONE::flask.crt$$
        - path: /tls/flask.key
          content: $$SCONE::flask.key$$
"""


class Sconify(ConvertCase):
    def setUp(self):
        super().setUp()
        self.source(name="native_flask_restapi_image",
                    config={"Cmd": ["/bin/sh", "-c", "/app/hello.sh now"], "Env": ["PATH=/bin"]})

    def plain(self, *words, env=None):
        """Without any docker: DOCKER_HOST must not be there at all."""
        return run(SCONIFY, "--agent=" + LOADER, *words, cwd=self.dir,
                   env={**self.env, "NACRE_CAS_PIN": PIN, **(env or {})})

    @unittest.skipIf(os.path.exists("/var/run/docker.sock"), "a docker daemon would take bare names")
    def test_the_walkthrough(self):
        code, out, err = self.plain(
            "--namespace=patients", "--name=flask", "--create-namespace",
            "--from=native_flask_restapi_image", "--to=flask_restapi_image",
            "--dir=/app", "--dir=/etc", "--binary=/bin/busybox", "--heap=1G", "--stack=4M",
            "--dlopen=2", "--session=session.yml", env={"SECRETS": SECRETS, "INJECTED_FILES": FILES})
        self.assertEqual((code, out), (0, "patients/flask\n"), err)
        for flag in ("heap", "stack", "dlopen"):
            self.assertIn(f"--{flag} has no meaning here", err)
        session = self.session()
        self.assertEqual(session["name"], "patients/flask")
        self.assertEqual(session["services"][0]["command"], ["/app/hello.sh", "now"])
        self.assertEqual([s["name"] for s in session["secrets"]],
                         ["nacre_sealing_key", "api_ca_key", "api_ca_cert", "flask_key", "flask"])
        self.assertEqual([f["path"] for f in session["images"][0]["injection_files"]],
                         ["/tls/flask.crt", "/tls/flask.key"])
        config = self.bundle("flask_restapi_image").config["config"]
        self.assertEqual(config["Env"], ["SCONE_CONFIG_ID=patients/flask/service"])

    def test_no_arguments_is_help(self):
        code, out, _ = run(SCONIFY)
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("Usage: sconify_image"))

    def test_every_foreign_option_does_what_the_table_says(self):
        with open(TABLE, encoding="utf-8") as f:
            rows = re.findall(r'^X\("([a-z0-9-]+)", (\w+), (\w+), (NULL|".*")\)$', f.read(), re.M)
        self.assertGreater(len(rows), 25)
        for name, kind, what, text in rows:
            words = [f"--{name}" + ("" if kind == "FLAG" else "=1")]
            with self.subTest(name=name):
                # Without --from the command line is wrong after the options were judged.
                code, out, err = self.plain(*words, "--to=x", "--binary=y")
                self.assertEqual((code, out), (2, ""))
                if what == "REFUSED":
                    self.assertIn(f"--{name}: {text[1:-1]}", err)
                    self.assertNotIn("--from= is missing", err)
                else:
                    self.assertIn("--from= is missing", err)
                    if text != "NULL":
                        self.assertIn(f"--{name} has no meaning here", err)

    def test_unknown_and_missing_options(self):
        code, out, err = self.plain("--nonsense=1")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("nonsense", err)
        for left_out in ("from", "to", "binary"):
            words = [f"--{n}=x" for n in ("from", "to", "binary") if n != left_out]
            code, out, err = self.plain(*words)
            self.assertEqual((code, out), (2, ""))
            self.assertIn(f"--{left_out}= is missing", err)

    def test_policy_options(self):
        code, out, err = self.plain(
            "--from=oci:native_flask_restapi_image", "--to=oci:o", "--binary=/bin/sh",
            "--session=session.yml", "--allow-debug-mode", "--allow-tcb-vulnerabilities",
            "--service-name=web", "--env=A=b", "--cas=https://cas.example.org:8081", "--disable-session-upload")
        self.assertEqual(code, 0, err)
        session = self.session()
        self.assertEqual(set(session["security"]["attestation"]["tolerate"]),
                         {"debug-mode", "hyperthreading", "insecure-igpu", "outdated-tcb",
                          "software-hardening-needed", "insecure-configuration"})
        self.assertEqual(session["services"][0]["name"], "web")
        env = self.bundle("o").config["config"]["Env"]
        self.assertEqual(env, [f"SCONE_CONFIG_ID={out.strip()}/web", "SCONE_CAS_ADDR=cas.example.org"])


if __name__ == "__main__":
    unittest.main()
