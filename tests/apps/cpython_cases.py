# SPDX-License-Identifier: Apache-2.0
"""The side of run_cpython.py inside the root: runs the cases of one module and reports each as a line of JSON.

argv: MODULE, then a JSON object {"skip": [ids], "only": [ids] or null}. Lines go to stderr behind "@@ ",
as CPython's tests write to stdout and close descriptors of their own; the writer is a high duplicate.
"""
import fcntl
import inspect
import json
import os
import re
import sys
import unittest

SECOND_PROCESS = re.compile(r"subprocess|fork|spawn|script_helper|multiprocessing|popen|assert_python|wait_proc|"
                            r"os\.system|os\.exec|run_python|create_sub", re.I)
REPORT = fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 200)


def report(**fields):
    os.write(REPORT, ("\n@@ " + json.dumps(fields) + "\n").encode())


def mentions_process(test):
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    try:
        return bool(SECOND_PROCESS.search(inspect.getsource(method)))
    except (OSError, TypeError):
        return False


class Result(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.subtests = []
        report(start=test.id())

    def end(self, test, status, err=None):
        text = self._exc_info_to_string(err, test) if err else ""
        process = mentions_process(test) or bool(SECOND_PROCESS.search(text))
        report(id=test.id(), status=status, text=text[-1500:], process=bool(err) and process)

    def addSuccess(self, test):
        if not self.subtests:
            self.end(test, "ok")

    def addSubTest(self, test, subtest, err):
        if err and not self.subtests:
            self.subtests.append(subtest)
            self.end(test, "fail", err)

    def addFailure(self, test, err):
        self.end(test, "fail", err)

    def addError(self, test, err):
        self.end(test, "error", err)

    def addSkip(self, test, reason):
        report(id=test.id(), status="skip", text=str(reason), process=mentions_process(test))

    def addExpectedFailure(self, test, err):
        self.end(test, "ok")

    def addUnexpectedSuccess(self, test):
        self.end(test, "unexpected")


def flatten(suite, keep):
    kept = unittest.TestSuite()
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            kept.addTest(flatten(item, keep))
        elif keep(item.id()):
            kept.addTest(item)
    return kept


def main():
    from test import support
    support.use_resources = []
    choice = json.loads(sys.argv[2])
    skip, only = set(choice["skip"]), choice["only"]
    suite = unittest.defaultTestLoader.loadTestsFromName("test." + sys.argv[1])
    suite = flatten(suite, lambda case: case not in skip and (only is None or case in only))
    os.makedirs("/tmp/cases", exist_ok=True)
    os.chdir("/tmp/cases")
    suite.run(Result())
    report(done=True)
    os._exit(0)


main()
