#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's file is measured: it must be one piece, the same from every build directory, and have
nothing in it that could be."""
import os
import subprocess
import unittest

AGENT, FULL = os.environ["NACRE_AGENT"], os.environ["NACRE_AGENT_FULL"]
BUDGET = 8 << 20


def out(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode(errors="replace")


class AgentImage(unittest.TestCase):
    def test_static_and_without_writable_code(self):
        segments = out("readelf", "-lW", AGENT)
        self.assertNotIn("INTERP", segments)
        self.assertNotIn("RWE", segments)
        self.assertRegex(segments, r"GNU_STACK .* RW ")
        self.assertRegex(segments, r"GNU_RELRO")
        self.assertNotIn("NEEDED", out("readelf", "-dW", AGENT))
        self.assertNotIn(".debug", out("readelf", "-SW", AGENT))
        self.assertNotIn("Build ID", out("readelf", "-nW", AGENT))
        self.assertLess(os.path.getsize(AGENT), BUDGET)

    def test_no_trace_of_where_it_was_built(self):
        with open(AGENT, "rb") as f:
            data = f.read()
        for path in (os.environ["NACRE_BUILD_ROOT"], os.environ["NACRE_SOURCE_ROOT"], os.path.expanduser("~") + "/"):
            if len(path) > 2:
                self.assertNotIn(os.path.abspath(path).encode() + b"/", data)
        self.assertNotIn(b"__DATE__", data)

    def test_its_own_code_calls_no_resolver_and_no_other_program(self):
        """libcrypto has references of its own; ours has none."""
        ours = [os.path.join(d, f) for d, _, files in os.walk(FULL + ".p") for f in files if f.endswith(".o")]
        self.assertGreater(len(ours), 10)
        undefined = {line.split()[-1] for o in ours for line in out("nm", "-u", o).splitlines() if line.strip()}
        banned = {"getaddrinfo", "gethostbyname", "dlopen", "dlsym", "system", "popen", "fork", "execve", "execv",
                  "posix_spawn", "getenv", "fopen", "syslog", "printf", "puts", "rand", "random"}
        # error.c formats with vasprintf; nothing else of stdio's streams may come in
        self.assertEqual(undefined & (banned - {"printf", "puts"}), set())


if __name__ == "__main__":
    unittest.main()
