#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/policy-language.md from src/policy/*.tbl.h. usage: gen_policy_docs.py [--check]

A table stands between <!-- keys SCOPE --> (or <!-- words LIST -->, <!-- formats -->) and <!-- end -->.
--check changes nothing and fails when a table is stale or a scope has none.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOC = os.path.join(ROOT, "docs", "policy-language.md")
STRING = r'"((?:[^"\\]|\\.)*)"'


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as f:
        return f.read()


def unescape(s):
    return s.replace('\\"', '"').replace("\\\\", "\\")


def cell(s):
    return s.replace("|", "\\|")


def shapes():
    text = read("src", "policy", "keywords.h").replace("\\\n", " ")
    return {m[0]: unescape(m[1]) for m in re.findall(r"X\((\w+),[^,]*,\s*" + STRING + r"\)", text)}


def rows(table, pattern):
    return re.findall(r"^X\(" + pattern + r"\)", read("src", "policy", table), re.M)


def key_table(scope, keys, words, shape):
    out = ["| key | value | since | meaning |", "| --- | --- | --- | --- |"]
    refused = []
    for where, _, key, kind, ref, since, no, summary in keys:
        if where != scope:
            continue
        if no != "NULL":
            refused.append(f"| `{key}` | {cell(unescape(no.strip(chr(34))))} |")
            continue
        value = shape[kind]
        if kind in ("ENUM", "ENUMS"):
            names = [f"`{w}`" for where_w, _, w, n in words if where_w == ref and n == "NULL"]
            value = ("one of " if kind == "ENUM" else "any of ") + ", ".join(names)
        since = "nacre" if since == "NACRE" else f"0.3.{since}"
        out.append(f"| `{key}` | {cell(value)} | {since} | {cell(unescape(summary))} |")
    if refused:
        out += ["", "Refused by name:", "", "| key | why, and what to do |", "| --- | --- |"] + refused
    return out


def word_table(lst, words):
    out = ["| word | |", "| --- | --- |"]
    for where, _, word, no in words:
        if where == lst:
            text = "accepted" if no == "NULL" else "refused: " + unescape(no.strip('"'))
            out.append(f"| `{word}` | {cell(text)} |")
    return out


def format_table(formats):
    out = ["| kind | forms | gives |", "| --- | --- | --- |"]
    order = []
    for kind, form, result in formats:
        key = (kind, result)
        if key not in order:
            order.append(key)
    for kind, result in order:
        forms = []
        for k, form, r in formats:
            if (k, r) == (kind, result):
                suffix = form if form.startswith(".") or not form else ":" + form
                forms.append(f"`$$SCONE::name{suffix}$$`")
        out.append(f"| {kind.lower().replace('_', '-')} | {' '.join(forms)} | "
                   f"{result.lower().replace('_', ' ')} |")
    return out


def render(text):
    keys = rows("keywords.tbl.h", r"(\w+), (\w+), " + STRING + r", (\w+), (\w+), (\w+), (NULL|"
                r'"(?:[^"\\]|\\.)*"), ' + STRING)
    words = rows("words.tbl.h", r"(\w+), (\w+), " + STRING + r', (NULL|"(?:[^"\\]|\\.)*")')
    formats = rows("formats.tbl.h", r"(\w+), " + STRING + r", (\w+)")
    shape = shapes()
    missing = {k[0] for k in keys}

    def fill(m):
        what, name = m.group(1), m.group(2) or ""
        if what == "keys":
            missing.discard(name)
            body = key_table(name, keys, words, shape)
        elif what == "words":
            body = word_table(name, words)
        else:
            body = format_table(formats)
        return f"<!-- {what}{' ' + name if name else ''} -->\n" + "\n".join(body) + "\n<!-- end -->"

    text = re.sub(r"<!-- (keys|words|formats)(?: (\w+))? -->\n.*?<!-- end -->", fill, text,
                  flags=re.S)
    lines = [line for t in ("keywords.tbl.h", "words.tbl.h", "formats.tbl.h")
             for line in read("src", "policy", t).splitlines() if line.startswith("X(")]
    if len(lines) != len(keys) + len(words) + len(formats):
        sys.exit("gen_policy_docs: a table line was not understood")
    return text, missing


def main():
    old = read("docs", "policy-language.md")
    new, missing = render(old)
    if missing:
        sys.exit(f"gen_policy_docs: no table for {', '.join(sorted(missing))}")
    if "--check" in sys.argv[1:]:
        if new != old:
            sys.exit("docs/policy-language.md is stale: run tools/gen_policy_docs.py")
        print("docs/policy-language.md agrees with the tables")
        return
    with open(DOC, "w", encoding="utf-8") as f:
        f.write(new)


if __name__ == "__main__":
    main()
