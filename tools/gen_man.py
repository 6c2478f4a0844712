#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes man pages from `--help`: one for nacre and one a verb. usage: gen_man.py NACRE OUT_DIR | --check DIR

The help texts are the one source; a page is their layout in roff.
"""
import glob
import os
import re
import subprocess
import sys


def ask(nacre, *words):
    r = subprocess.run([nacre, *words], stdout=subprocess.PIPE, text=True, check=False)
    if r.returncode != 0 or not r.stdout.startswith("Usage:"):
        sys.exit(f"gen_man: '{' '.join(words)}' did not print a usage text (exit {r.returncode})")
    return r.stdout


def esc(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def verbs_of(text):
    part = text.split("Verbs:\n", 1)[1]
    return re.findall(r"^  ([a-z][a-z0-9-]*)\s{2,}(.*)$", part, re.M)


def page(title, summary, text, version):
    lines = text.splitlines()
    out = [f'.TH {title.upper()} 1 "" "nacre {version}" "nacre manual"', ".SH NAME",
           f"{esc(title)} \\- {esc(summary)}", ".SH SYNOPSIS", esc(lines[0][len("Usage: "):]),
           ".SH DESCRIPTION"]
    verbatim = False
    for line in lines[1:]:
        head = re.match(r"^([A-Z][A-Za-z ]+):$", line)
        option = re.match(r"^  ((?:-., )? *--?[A-Za-z].*?|[a-z][a-z0-9-]*)(?:\s{2,}(.*))?$", line)
        if head:
            if verbatim:
                out.append(".fi")
            verbatim = head.group(1) == "Examples"
            out.append(f".SH {head.group(1).upper()}")
            if verbatim:
                out.append(".nf")
        elif verbatim:
            out.append(esc(line))
        elif option:
            out += [".TP", f"\\fB{esc(option.group(1).strip())}\\fR"]
            if option.group(2):
                out.append(esc(option.group(2)))
        elif not line.strip():
            out.append(".PP")
        else:
            out.append(esc(line.strip()))
    if verbatim:
        out.append(".fi")
    return "\n".join(out) + "\n"


def check(folder):
    """Every page must render without a warning."""
    pages = sorted(glob.glob(os.path.join(folder, "*.1")))
    bad = len(pages) < 2
    for p in pages:
        r = subprocess.run(["man", "--warnings", "-l", p], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, check=False)
        if r.returncode != 0 or r.stderr:
            print(f"{p}: {r.stderr.strip()}")
            bad = True
    print(f"{len(pages)} pages rendered")
    return 1 if bad else 0


def main():
    if sys.argv[1] == "--check":
        sys.exit(check(sys.argv[2]))
    nacre, folder = sys.argv[1], sys.argv[2]
    version = subprocess.run([nacre, "version"], stdout=subprocess.PIPE, text=True,
                             check=True).stdout.split()[-1]
    top = ask(nacre, "--help")
    os.makedirs(folder, exist_ok=True)
    pages = {"nacre": page("nacre", "turn container images into confidential containers", top,
                           version)}
    for verb, summary in verbs_of(top):
        text = ask(nacre, verb, "--help")
        pages[f"nacre-{verb}"] = page(f"nacre-{verb}", summary, text, version)
        for sub, sub_summary in verbs_of(text) if "Verbs:\n" in text else []:
            pages[f"nacre-{verb}-{sub}"] = page(f"nacre-{verb}-{sub}", sub_summary,
                                                ask(nacre, verb, sub, "--help"), version)
    second = subprocess.run(["sconify_image", "--help"], executable=nacre, stdout=subprocess.PIPE,
                            text=True, check=True).stdout
    pages["sconify_image"] = page("sconify_image", "turn a container image into a confidential one",
                                  second, version)
    for name, text in pages.items():
        with open(os.path.join(folder, name + ".1"), "w", encoding="utf-8") as f:
            f.write(text)
    with open(os.path.join(folder, "stamp"), "w", encoding="utf-8") as f:
        f.write("\n".join(sorted(pages)) + "\n")


if __name__ == "__main__":
    main()
