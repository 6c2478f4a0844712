#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long an attested start takes: a bundle, a CAS of its own, a session; from the command to the
application's first line. Prints JSON.

usage: attested_start.py BUILD_DIR STATE_DIR [--count N] [--native]
"""
import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "tools")]


def first_line(argv, env):
    """Milliseconds to the first line; the program is waited for afterwards."""
    begun = time.monotonic()
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        line = p.stdout.readline()
        took = (time.monotonic() - begun) * 1000
        err = p.stderr.read()
        if p.wait() != 0 or not line:
            sys.exit(f"attested_start: the program failed: {err.decode(errors='replace')}")
    return took


def make(build, folder, state):
    """Everything a start needs: argv and environment, and what to stop afterwards."""
    os.environ["NACRE"] = os.path.join(build, "src/cli/nacre")
    os.environ["NACRE_STATE_DIR"] = state
    import make_bundle  # here: they look at the environment
    import oci_build
    from test_cas import Server, make_identity, run
    root = os.path.join(folder, "root")
    assert run(os.environ["NACRE"], "softsgx", "root", "--export", root).returncode == 0
    spki = "openssl x509 -in '%s' -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"

    def key_of(cert):
        return subprocess.run(spki % cert, shell=True, stdout=subprocess.PIPE, check=True).stdout.decode().split()[0]

    cas = Server(os.path.join(folder, "cas"), "--provision-listen", "127.0.0.1:0", "--software-root", root)
    try:
        layer = oci_build.Layer()
        for name in ("bin", "tmp", "proc", "dev"):
            layer.dir(name)
        with open(os.path.join(build, "src/bench/bench_hello_static"), "rb") as f:
            layer.add("bin/hello", data=f.read(), mode=0o755)
        oci_build.make(os.path.join(folder, "layout"), [layer.bytes()])
        bundle = os.path.join(folder, "bundle")
        made = make_bundle.make(bundle, os.environ["NACRE"], os.path.join(build, "src/loader/nacre-loader"),
                                os.path.join(build, "src/libos/libos.elf"), os.path.join(build, "src/agent/agent"),
                                "oci:" + os.path.join(folder, "layout"), key_of(cas.cert), os.path.join(folder, "keys"))
        doc = {"name": "hello", "version": "0.3", "services": [
            {"name": "app", "command": "/bin/hello", "mrenclaves": [made["mrenclave"]],
             "fspf_key": made["sealed"]["key"], "sealed_root": made["sealed"]["root"]}],
            "security": {"attestation": {"mode": "software", "software_roots": [key_of(os.path.join(root, "root_ca.pem"))]}}}
        status, answer = cas.put(json.dumps(doc), make_identity(folder, "owner"))
        assert status == 201, answer
    except BaseException:
        cas.stop()
        raise
    port = re.search(r"provisioning on 127\.0\.0\.1:(\d+)", cas.hello).group(1)
    env = {"NACRE_MODE": "soft", "NACRE_STATE_DIR": state, "NACRE_CAS": "127.0.0.1:" + port,
           "NACRE_CONFIG_ID": "hello/app", "NACRE_CAS_TIMEOUT": "20", "NACRE_STATS": os.path.join(folder, "stats")}
    return [os.path.join(bundle, "nacre-loader")], env, cas


def attested(build, state, count):
    folder = tempfile.mkdtemp(prefix="attested-start-", dir=state)
    try:
        argv, env, cas = make(build, folder, state)
        try:
            first_line(argv, env)  # keys of the software processor are made once
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            took = [first_line(argv, env) for _ in range(count)]
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            cas.stop()
        with open(env["NACRE_STATS"], encoding="utf-8") as f:
            exits = json.JSONDecoder().raw_decode(f.read())[0]["exits"]
    finally:
        shutil.rmtree(folder)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms": statistics.median(took), "count": count, "cpu_us": cpu * 1e6 / count, "exits": exits}


def native(build, count):
    argv = [os.path.join(build, "src/bench/bench_hello_static")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = [first_line(argv, {}) for _ in range(count)]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"ms": statistics.median(took), "count": count, "cpu_us": cpu * 1e6 / count, "exits": 0}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("build")
    p.add_argument("state")
    p.add_argument("--count", type=int, default=5)
    p.add_argument("--native", action="store_true")
    a = p.parse_args()
    build = os.path.abspath(a.build)
    result = native(build, a.count) if a.native else attested(build, a.state, a.count)
    sys.stdout.write(json.dumps(result) + "\n")  # at once: the reader leaves after the last brace


if __name__ == "__main__":
    main()
