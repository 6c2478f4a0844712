#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom against tools/layers.json; see ARCHITECTURE.md for the reasons.

Every quoted include is rooted at src/ and names its component. Prints file:line for each breach.
"""
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def breach(rules, component, path, kind, header):
    rule = rules["components"][component]
    if kind == "<":
        for name, allowed in rules["wrapped"].items():
            if re.match(name, header) and not any(re.match(a, path) for a in allowed):
                return f"<{header}> is only for {', '.join(allowed)}"
        if "system" in rule and not any(re.match(s, header) for s in rule["system"]):
            return f"{component} may not include <{header}>"
        return None
    target = header.split("/")[0]
    if "/" not in header:
        return f'"{header}": includes name their component ("{component}/{header}")'
    if header.endswith("_internal.h") and target != component:
        return f"{header} is private to its folder"
    if target == component or target in rule["may"] or header in rule["may"]:
        return None
    return f"{component} may not include {header}"


def main():
    with open(os.path.join(ROOT, "tools", "layers.json"), encoding="utf-8") as f:
        rules = json.load(f)
    bad = 0
    seen = 0
    for folder, _, names in sorted(os.walk(os.path.join(ROOT, "src"))):
        component = os.path.relpath(folder, os.path.join(ROOT, "src")).split(os.sep)[0]
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".S")):
                continue
            path = os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "src"))
            if component not in rules["components"]:
                print(f"src/{path}: component {component} is not in tools/layers.json")
                bad += 1
                continue
            seen += 1
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                for number, line in enumerate(f, 1):
                    m = INCLUDE.match(line)
                    why = m and breach(rules, component, path, m.group(1), m.group(2))
                    if why:
                        print(f"src/{path}:{number}: {why}")
                        bad += 1
    print(f"layering: {seen} files, {bad} breaches", file=sys.stderr)
    return 1 if bad or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
