#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bundle (docs/formats/bundle.md) by hand, for tests: what `nacre convert` puts under /nacre.

usage: make_bundle.py --nacre NACRE --loader FILE --libos FILE --agent FILE --image IMAGE --cas-key HEX OUT_DIR
Also a module: make(out_dir, ...) returns what was made.
"""
import argparse
import os
import shutil
import subprocess


def run(*words, **kw):
    return subprocess.run([str(w) for w in words], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **kw).stdout.decode()


def key_for(nacre, directory):
    path = os.path.join(directory, "signing-key.pem")
    if not os.path.exists(path):
        run(nacre, "keygen", "--out", path)
    return path


def finish(out, nacre, cas_key, work, manifest_options=()):
    """Manifest and SIGSTRUCT over what lies in `out` already."""
    options = list(manifest_options)
    root = os.path.join(work, "root")
    if os.path.exists(root):
        with open(root, encoding="ascii") as f:
            options += ["--sealed-root", f.read().strip()]
    manifest = os.path.join(out, "manifest")
    run(nacre, "manifest", "build", "--agent", os.path.join(out, "agent"), "--cas-key", cas_key,
        *options, "--output", manifest)
    run(nacre, "sign", "--enclave", os.path.join(out, "libos.elf"), "--manifest", manifest,
        "--key", key_for(nacre, work), "--out", os.path.join(out, "sigstruct"))


def make(out, nacre, loader, libos, agent, image, cas_key, work, manifest_options=()):
    """`image` is what `nacre seal --from` takes, or None. Sealing key and root go to `work`."""
    os.makedirs(out, exist_ok=True)
    os.makedirs(work, exist_ok=True)
    for source, name in ((loader, "nacre-loader"), (libos, "libos.elf"), (agent, "agent")):
        shutil.copy(source, os.path.join(out, name))
    made = {"dir": out}
    if image is not None:
        key = os.path.join(work, "sealing.key")
        root = run(nacre, "seal", "--from", image, "--key-out", key, "--force",
                   os.path.join(out, "rootfs.nseal")).strip()
        with open(os.path.join(work, "root"), "w", encoding="ascii") as f:
            f.write(root)
        with open(key, encoding="ascii") as f:
            made["sealed"] = {"key": f.read().strip(), "root": root}
    finish(out, nacre, cas_key, work, manifest_options)
    made["mrenclave"] = run(nacre, "measure", "--manifest", os.path.join(out, "manifest"),
                            os.path.join(out, "libos.elf")).strip()
    return made


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("nacre", "loader", "libos", "agent", "cas-key"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--image")
    p.add_argument("--work", help="where keys go (default: OUT_DIR.keys)")
    p.add_argument("--manifest-option", action="append", default=[])
    p.add_argument("out")
    a = p.parse_args()
    print(make(a.out, a.nacre, a.loader, a.libos, a.agent, a.image, a.cas_key,
               a.work or a.out.rstrip("/") + ".keys", a.manifest_option))


if __name__ == "__main__":
    main()
