#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs that live on other processes, natively and in the enclave: same output, same status."""
import os
import shutil
import subprocess
import tempfile
import unittest

NACRE = os.environ["NACRE"]
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LC_ALL": "C"}

BASH = r"""
set -o pipefail
echo one two | tr a-z A-Z | cat -n
x=$(printf '%s\n' c a b | sort | head -1); echo "sorted $x"
cat <<HERE | grep -c line
a line
b line
HERE
(echo 1; /bin/echo 2; echo 3) > $T/all; wc -l < $T/all
{ /bin/echo first; /bin/echo second; } > $T/two; cat $T/two
for i in 1 2 3; do echo $i; done | while read a; do /bin/echo "got $a"; done
false | true; echo "pipe $?"
sleep 0.1 & wait $!; echo "waited $?"
(exit 7); echo "subshell $?"
sh -c 'kill -TERM $$'; echo "killed $?"
trap 'echo trapped' USR1; kill -USR1 $$
diff <(echo a) <(echo b) > /dev/null; echo "diff $?"
echo append >> $T/all; (echo more >> $T/all) ; tail -2 $T/all
exec 3>$T/third; echo to three >&3; /bin/echo as well >&3; exec 3>&-; cat $T/third
ls $T | xargs -n1 echo file
find $T -type f -exec basename {} \; | sort
"""

PYTHON = r"""
import os, subprocess, sys
print(subprocess.run(["cat"], input=b"through a pipe", stdout=subprocess.PIPE).stdout)
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
p = subprocess.Popen(["sh", "-c", "read a; echo $a $a"], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True)
print(p.communicate("twice\n"), p.returncode)
try:
    subprocess.run(["sleep", "30"], timeout=0.3)
except subprocess.TimeoutExpired as e:
    print("timeout")
try:
    subprocess.run(["/no/such/program"])
except FileNotFoundError:
    print("no such program")
r, w = os.pipe()
if os.fork() == 0:
    os.close(r)
    os.write(w, b"from the child")
    os._exit(4)
os.close(w)
print(os.read(r, 100), os.read(r, 100), os.WEXITSTATUS(os.wait()[1]))
"""

MAKEFILE = """prog: a.o b.o
\tgcc a.o b.o -o prog
%.o: %.c
\tgcc -O1 -c $< -o $@
"""


class Shells(unittest.TestCase):
    def both(self, argv, env=None):
        """Native and enclave, each with a directory of its own that it sees as $T."""
        results = []
        for inside in (False, True):
            e = dict(ENV, **(env or {}))
            with tempfile.TemporaryDirectory() as d:
                if inside:
                    e["T"] = "/tmp"
                    options = [x for k, v in e.items() for x in ("--env", "%s=%s" % (k, v))]
                    command = [NACRE, "exec", "-q"] + options + ["--"] + argv
                    e = dict(os.environ)
                else:
                    e["T"] = d
                    command = argv
                p = subprocess.run(command, env=e, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, timeout=100, text=True)
            results.append((p.returncode, p.stdout))
            error = p.stderr
        self.assertEqual(results[1], results[0], error)

    def test_bash(self):
        self.both([shutil.which("bash"), "-c", BASH])

    @unittest.skipUnless(os.path.exists("/usr/bin/python3"), "no /usr/bin/python3 here")
    def test_python(self):
        self.both(["/usr/bin/python3", "-c", PYTHON])

    @unittest.skipUnless(shutil.which("make") and os.path.exists("/usr/bin/gcc"),
                         "make or gcc is missing here")
    def test_make_and_gcc(self):
        script = (
            "cd $T && printf '%s' \"$MAKEFILE\" > Makefile && "
            "echo 'int f(void); int main(void){return f();}' > a.c && "
            "echo '#include <stdio.h>\nint f(void){puts(\"built\");return 5;}' > b.c && "
            "make -j2 > log 2>&1 && sort log && make && ./prog; echo $?")
        self.both(["/bin/sh", "-c", script], {"MAKEFILE": MAKEFILE})


if __name__ == "__main__":
    unittest.main(verbosity=2)
