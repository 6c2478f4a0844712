#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/syscalls.md from src/libos/sys/syscalls.tbl.h; with --check says whether it is fresh."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "src", "libos", "sys", "syscalls.tbl.h")
PAGE = os.path.join(ROOT, "docs", "syscalls.md")
ROW = re.compile(r'^X\((\d+), (\w+), "[^"]*", SYS_(\w+),\s*"([^"]*)"\)$')
SECTIONS = [
    ("FULL", "Implemented", "As Linux, as far as a program can tell."),
    ("PART", "Partial", "Served, with what is missing in the right column."),
    ("REFUSE", "Refused", "Refused on purpose, with the errno a program gets and the reason."),
    ("NONE", "Not yet", "ENOSYS, counted by `nacre exec --syscall-report`."),
]


def rows():
    found = []
    with open(TABLE, encoding="utf-8") as f:
        text = f.read().replace("\\\n", " ")
    # A row that the table breaks over lines is still one X(...).
    for m in re.finditer(r"^X\([^\n]*(?:\n(?!X\()[^\n]+)*", text, re.M):
        line = re.sub(r'"\s*\n\s*"', "", m.group(0))
        line = " ".join(line.split())
        hit = ROW.match(line)
        if not hit:
            sys.exit(f"gen_syscall_docs: cannot read the row: {line}")
        found.append((int(hit.group(1)), hit.group(2), hit.group(3), hit.group(4)))
    return found


def page():
    table = rows()
    out = ["# System calls", "",
           "Generated from `src/libos/sys/syscalls.tbl.h` by `tools/gen_syscall_docs.py`; a test keeps it fresh.",
           ""]
    counts = {s: sum(1 for r in table if r[2] == s) for s, _, _ in SECTIONS}
    out.append("| " + " | ".join(t for _, t, _ in SECTIONS) + " | all |")
    out.append("| " + " | ".join("---" for _ in SECTIONS) + " | --- |")
    out.append("| " + " | ".join(str(counts[s]) for s, _, _ in SECTIONS) + f" | {len(table)} |")
    for state, title, text in SECTIONS:
        of_state = [r for r in table if r[2] == state]
        out += ["", f"## {title}", "", text, ""]
        if not of_state:
            out.append("None.")
        elif state in ("FULL", "NONE"):
            out.append(", ".join(f"`{r[1]}`" for r in of_state) + ".")
        else:
            out += ["| call | note |", "| --- | --- |"]
            out += [f"| `{r[1]}` | {r[3]} |" for r in of_state]
    return "\n".join(out) + "\n"


def main():
    text = page()
    if sys.argv[1:] == ["--check"]:
        with open(PAGE, encoding="utf-8") as f:
            fresh = f.read() == text
        print("docs/syscalls.md is fresh" if fresh else
              "docs/syscalls.md is stale: run tools/gen_syscall_docs.py")
        sys.exit(0 if fresh else 1)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(text)


if __name__ == "__main__":
    main()
