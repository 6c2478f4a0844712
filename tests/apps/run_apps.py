#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs unmodified Debian programs natively (chroot) and in the enclave, and compares output and exit.

usage: run_apps.py NACRE ROOT_CACHE [--only NAME] [--no-rewrite] [--native]

Native Linux is the oracle. Prints TAP. Needs root for chroot; without it every case is skipped.
"""
import argparse
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["python3", "python3-flask", "perl-base", "sqlite3", "busybox-static"]
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", "LC_ALL": "C.UTF-8",
       "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
TIMEOUT = 120

# name: argv. One process each: programs that fork come with the process layer.
COREUTILS = {
    "true": ["true"], "false": ["false"], "echo": ["echo", "a", "b"],
    "printf": ["printf", "%05d|%-6s|%x\n", "42", "ab", "255"],
    "cat": ["cat", "/etc/passwd", "/etc/group"], "tac": ["tac", "/etc/passwd"],
    "wc": ["wc", "/etc/passwd", "/etc/group"],
    "sort": ["sort", "-t:", "-k3n", "/etc/passwd"], "head": ["head", "-n3", "/etc/passwd"],
    "tail": ["tail", "-n3", "/etc/passwd"], "cut": ["cut", "-d:", "-f1,7", "/etc/passwd"],
    "nl": ["nl", "/etc/group"], "od": ["od", "-tx1", "/etc/hostname"],
    "md5sum": ["md5sum", "/bin/ls"], "sha256sum": ["sha256sum", "/bin/ls", "/etc/passwd"],
    "sha512sum": ["sha512sum", "/bin/ls"], "b2sum": ["b2sum", "/bin/ls"], "cksum": ["cksum", "/bin/ls"],
    "base64": ["base64", "/etc/passwd"], "base32": ["base32", "/etc/hostname"],
    "seq": ["seq", "1", "3", "40"], "factor": ["factor", "123456789", "97"],
    "expr": ["expr", "6", "*", "7"], "date": ["date", "-u", "-d", "@86400", "+%F %T"],
    "basename": ["basename", "/a/b.c", ".c"], "dirname": ["dirname", "/a/b"],
    "readlink": ["readlink", "-f", "/bin/sh"], "realpath": ["realpath", "/usr/../bin"],
    "stat": ["stat", "-c", "%n %s %a %u %g %F %h", "/etc/passwd", "/bin", "/dev/null"],
    "ls-long": ["ls", "-ln", "--time-style=+%s", "/etc"], "ls-recursive": ["ls", "-R", "/usr/share/doc"],
    "ls-missing": ["ls", "/nonexistent"], "find": ["find", "/etc", "-type", "f", "-newermt", "2000-01-01"],
    "find-links": ["find", "/usr/lib", "-type", "l"],
    "id": ["id"], "whoami": ["whoami"], "uname": ["uname", "-sm"], "pwd": ["pwd"], "env": ["env"],
    "test-dir": ["test", "-d", "/etc"], "test-file": ["test", "-f", "/etc"],
    "cp-v": ["cp", "-rv", "/etc/apt", "/tmp/nacre-cp"], "mkdir-v": ["mkdir", "-pv", "/tmp/nacre-mk/a/b"],
    "touch": ["touch", "/tmp/nacre-touch"], "truncate": ["truncate", "-s", "1M", "/tmp/nacre-trunc"],
    "ln-sv": ["ln", "-sv", "target", "/tmp/nacre-link"], "numfmt": ["numfmt", "--to=iec", "1048576"],
    "fold": ["fold", "-w20", "/etc/passwd"], "fmt": ["fmt", "-w40", "/etc/passwd"],
    "paste": ["paste", "-d:", "/etc/hostname", "/etc/hostname"], "join": ["join", "-t:", "/etc/passwd", "/etc/passwd"],
    "comm": ["comm", "/etc/hostname", "/etc/hostname"], "uniq": ["uniq", "-c", "/etc/group"],
    "split": ["split", "-n", "l/2/3", "/etc/passwd"], "dd": ["dd", "if=/bin/ls", "bs=4k", "count=2", "status=none"],
    "sleep": ["sleep", "0.05"], "printenv": ["printenv", "HOME"], "nproc-all": ["nproc", "--all"],
    "shred-refuses": ["shred", "/nonexistent"], "sync": ["sync"], "tsort": ["tsort", "/dev/null"],
    "pr": ["pr", "-t", "-2", "/etc/group"], "expand": ["expand", "/etc/group"],
    "csplit-refuses": ["csplit", "/etc/passwd", "/nowhere/"], "ptx": ["ptx", "/etc/hostname"],
}
TOOLS = {
    "grep": ["grep", "-rn", "root", "/etc/passwd", "/etc/group"], "sed": ["sed", "-n", "s/root/toor/p", "/etc/passwd"],
    "awk": ["mawk", "-F:", "{n += $3} END {print NR, n}", "/etc/passwd"],
    "tar": ["tar", "cf", "/tmp/nacre.tar", "--sort=name", "/etc/apt"], "gzip": ["gzip", "-9cn", "/etc/passwd"],
    "diff": ["diff", "-u", "/etc/passwd", "/etc/group"], "cmp": ["cmp", "/etc/passwd", "/etc/group"],
    "xargs-none": ["xargs", "--version"],
    "bash-builtin": ["bash", "-c", 'declare -A m=([a]=1 [b]=2); for i in {1..5}; do s+=$((i*i)),; done; echo "$s ${#m[@]}"; '
                     'mapfile -t l < /etc/passwd; echo ${#l[@]}; [[ abc =~ b(.) ]] && echo ${BASH_REMATCH[1]}; '
                     'cd /usr && pwd; ulimit -n >/dev/null; trap "echo bye" EXIT; printf "%(%Y)T\\n" 0; exit 7'],
    "bash-files": ["bash", "-c", 'cd /tmp; echo one > a; echo two >> a; while read x; do echo "<$x>"; done < a; '
                   'exec 3<>a; read -u3 y; echo $y; [ -s a ] && echo nonempty; : > a; [ -s a ] || echo empty'],
    "dash": ["dash", "-c", 'i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; cd /etc; echo *.conf; exit 3'],
    "perl": ["perl", "-e", 'my %h = map { $_ => $_**2 } 1..5; print join(",", map {"$_=$h{$_}"} sort keys %h), "\\n"; '
             'open(my $f, "<", "/etc/passwd"); my @l = <$f>; print scalar(@l), "\\n"; printf("%s\\n", join "", reverse split //, "nacre"); '
             'open(my $o, ">", "/tmp/p"); print $o "x" x 100000; close $o; print -s "/tmp/p", "\\n"; unlink "/tmp/p"; print -e "/tmp/p" ? 1 : 0, "\\n"'],
    "perl-signal": ["perl", "-e", '$SIG{ALRM} = sub { print "alarm\\n" }; alarm 1; select undef, undef, undef, 3; print "end\\n"'],
    "sqlite3": ["sqlite3", ":memory:", "create table t(a,b); with recursive n(x) as (select 1 union all select x+1 from n where x<5000) "
                "insert into t select x, hex(x) from n; select count(*), sum(a), max(b) from t; select json_object('k', 3);"],
    "sqlite3-file": ["sqlite3", "/tmp/nacre.db", "pragma journal_mode=wal; create table t(a); insert into t values(1),(2); select * from t;"],
    "busybox-sh": ["busybox", "ash", "-c", 'echo $((2+3)); for f in /etc/host*; do echo $f; done; exit 4'],
    "busybox-md5": ["busybox", "md5sum", "/etc/passwd"], "busybox-ls": ["busybox", "ls", "-l", "/etc/apt"],
    "busybox-sort": ["busybox", "sort", "/etc/passwd"], "busybox-vi-help": ["busybox", "vi", "--help"],
    "openssl-free": ["python3", "-c", "import hashlib; print(hashlib.sha3_256(b'x').hexdigest())"],
    "ldconfig": ["/sbin/ldconfig", "-p"], "getent": ["getent", "passwd", "root"],
    "missing-program": ["/nonexistent/program"], "not-executable": ["/etc/passwd"],
    "bad-elf": ["/usr/share/common-licenses/GPL-3"],
    "python-version": ["python3", "-V"], "python-pass": ["python3", "-c", "pass"],
    "python-exit": ["python3", "-c", "import sys; sys.exit(9)"],
    "python-traceback": ["python3", "-c", "1/0"],
    "python-recursion": ["python3", "-c", "def f(n): return n and f(n-1)\ntry:\n  f(10**6)\nexcept RecursionError: print('deep')"],
    "python-memory": ["python3", "-c", "x = bytearray(200 << 20); x[-1] = 1; print(len(x)); del x; y = [0] * 10**7; print(len(y))"],
}


def cases():
    table = dict(COREUTILS)
    table.update(TOOLS)
    folder = os.path.join(HERE, "py")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                table["py-" + name[:-3]] = ["python3", "-c", f.read()]
    return table


def run(argv, cwd=None):
    try:
        r = subprocess.run(argv, cwd=cwd, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
        return r.returncode, r.stdout, r.stderr
    except subprocess.TimeoutExpired as e:
        return "timeout", e.stdout or b"", e.stderr or b""


def native(root, argv):
    return run(["chroot", root] + argv)


def enclave(nacre, root, argv, options):
    env = [x for k, v in ENV.items() for x in ("--env", f"{k}={v}")]
    return run([nacre, "exec", "--root", root] + env + options + ["--"] + argv)


def clean(root):
    """What the native run wrote to /tmp of the root."""
    subprocess.run(["find", os.path.join(root, "tmp"), "-mindepth", "1", "-delete"], check=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("nacre")
    p.add_argument("cache")
    p.add_argument("--only")
    p.add_argument("--no-rewrite", action="store_true")
    p.add_argument("--native", action="store_true", help="run the oracle alone")
    args = p.parse_args()
    table = cases()
    if args.only:
        table = {k: v for k, v in table.items() if args.only in k}
    if os.geteuid() != 0:
        print("1..0 # SKIP chroot, the native side of the comparison, needs root")
        return 0
    root = os.path.join(args.cache, "root")
    if subprocess.run([os.path.join(HERE, "make-root"), root] + PACKAGES, check=False).returncode:
        print("1..0 # SKIP the Debian root cannot be made: mmdebstrap and a Debian mirror are needed")
        return 0
    print(f"1..{len(table)}")
    failed = 0
    options = ["--no-rewrite"] if args.no_rewrite else []
    for number, (name, argv) in enumerate(table.items(), 1):
        clean(root)
        want = native(root, argv)
        clean(root)
        got = native(root, argv) if args.native else enclave(args.nacre, root, argv, options)
        missing = want[0] in (126, 127) and argv[0].startswith("/")
        same = want[:2] == got[:2] or (missing and got[0] in (126, 127))
        print(f"{'ok' if same else 'not ok'} {number} - {name}", flush=True)
        if not same:
            failed += 1
            print(f"# {argv!r:.200}")
            print(f"# native  exit {want[0]} stdout {want[1][-300:]!r} stderr {want[2][-200:]!r}")
            print(f"# enclave exit {got[0]} stdout {got[1][-300:]!r} stderr {got[2][-600:]!r}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
