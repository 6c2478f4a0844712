# SPDX-License-Identifier: Apache-2.0
"""The programs of run_services.py: one module a program, each with its list CASES."""
import importlib
import os
import pkgutil


def all_cases():
    here = os.path.dirname(os.path.abspath(__file__))
    cases = []
    for module in sorted(x.name for x in pkgutil.iter_modules([here])):
        cases += getattr(importlib.import_module(f"{__name__}.{module}"), "CASES", [])
    return cases
