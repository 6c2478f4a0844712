#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every nacre command line that the documentation shows: its verb exists, and its options are in the
verb's help. What the commands do is the walkthrough's and the demo's tests."""
import glob
import os
import re
import shlex
import subprocess
import unittest

NACRE = os.environ["NACRE"]
ROOT = os.environ["NACRE_SOURCE_ROOT"]
GROUPS = ("audit", "cas", "manifest", "session", "softsgx")
# Verbs whose first operand ends their options: what follows is another program's.
ENDS_AT_OPERAND = {("exec",), ("softsgx", "run")}


def fenced(text):
    """Lines of code blocks, with \\ at the end joined."""
    inside = False
    joined = ""
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            inside = not inside
        elif inside:
            joined += line[:-1] if line.endswith("\\") else line
            if not line.endswith("\\"):
                yield joined
                joined = ""


def commands(text):
    """The words of each command, from `nacre` to where the shell's next one begins."""
    for line in list(fenced(text)) + re.findall(r"`([^`\n]+)`", text):
        for part in re.split(r"\$\(|&&|\|\||[|;<>&)]", line.split(" #")[0]):
            try:
                words = shlex.split(part)
            except ValueError:
                words = part.split()
            while words and ("=" in words[0] or words[0] in ("$", "sudo", "export", "docker", "timeout")):
                words = words[1:]
            if words and (words[0] == "nacre" or words[0].endswith("/cli/nacre")) and len(words) > 1:
                yield part.strip(), words[1:]


class Commands(unittest.TestCase):
    helps = {}

    def help(self, verb):
        if verb not in self.helps:
            r = subprocess.run([NACRE, *verb, "--help"], capture_output=True, text=True, check=False, timeout=20)
            self.helps[verb] = r.stdout if r.returncode == 0 else None
        return self.helps[verb]

    def check(self, where, shown, words):
        verb = tuple(words[:2] if words[0] in GROUPS and len(words) > 1 and not words[1].startswith("-") else words[:1])
        if not re.fullmatch(r"[a-z]+", verb[-1]) or re.search(r" v\d", shown):
            return 0  # VERB, or alternatives: a pattern; or the label of a hash
        text = self.help(verb)
        self.assertIsNotNone(text, f"{where}: no such verb: {shown}")
        for word in words[len(verb):]:
            if word == "--" or (verb in ENDS_AT_OPERAND and not word.startswith("-")):
                break
            option = re.match(r"--[a-z][a-z-]*", word)
            if option and option[0] != "--help":
                self.assertRegex(text, re.escape(option[0]) + r"(?![a-z-])", f"{where}: {shown}")
        return 1

    def test_documented_commands_exist(self):
        pages = [os.path.join(ROOT, x) for x in ("README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")]
        pages += glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True)
        pages += glob.glob(os.path.join(ROOT, "examples", "**", "*.md"), recursive=True)
        seen = 0
        for page in sorted(pages):
            with open(page, encoding="utf-8") as f:
                text = f.read()
            for shown, words in commands(text):
                with self.subTest(page=os.path.relpath(page, ROOT), command=shown):
                    seen += self.check(os.path.relpath(page, ROOT), shown, words)
        self.assertGreater(seen, 100)

    def test_a_wrong_one_is_found(self):
        for text, words in (("```\nnacre sesion list\n```", "no such verb"), ("```\nnacre session list --jsn\n```", "--jsn"),
                            ("see `nacre cas serve --nope`", "--nope")):
            found = list(commands(text))
            self.assertEqual(len(found), 1, text)
            with self.assertRaisesRegex(AssertionError, words):
                self.check("page", *found[0])


if __name__ == "__main__":
    unittest.main()
