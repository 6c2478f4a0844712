#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every test that docs/softsgx.md names exists, and every test of the processor is named there."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = (root / "docs/softsgx.md").read_text(encoding="utf-8")
named = set(re.findall(r"`(?:test_\w+\.c: )?(test_\w+)`", text))
defined = set()
processor = set()
for path in sorted((root / "tests/unit/softsgx").glob("test_*.c")):
    found = set(re.findall(r"cmocka_unit_test(?:_setup_teardown)?\((\w+)",
                           path.read_text(encoding="utf-8")))
    defined |= found
    if path.stem in ("test_enter", "test_aex", "test_edmm", "test_einit", "test_keys"):
        processor |= found
wrong = [f"{n}: in docs/softsgx.md, but no such test" for n in sorted(named - defined)]
wrong += [f"{n}: a test that docs/softsgx.md does not name" for n in sorted(processor - named)]
print("\n".join(wrong) if wrong else f"{len(named)} tests named, all there")
sys.exit(1 if wrong else 0)
