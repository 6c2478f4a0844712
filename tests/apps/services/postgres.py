# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, which two enclaves cannot share memory for: where it stops, and that it says so."""
import glob

from .harness import Case, Failed

PACKAGE = "postgresql-15"
SCRIPT = """d=$(mktemp -d) && PATH=$1:$PATH && trap 'rm -rf $d' EXIT && postgres --version &&
initdb -D $d/db -A trust --no-sync -E UTF8 --locale=C.UTF-8 >$d/log 2>&1 || { cat $d/log >&2; exit 3; }
echo 'create table t(a int); insert into t select generate_series(1, 1000); select sum(a) from t;' |
    postgres --single -D $d/db postgres 2>&1 | grep -o 'sum = "[0-9]*"'
"""


def check(side, box):
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        raise Failed("postgres is installed, its programs are not under /usr/lib/postgresql")
    code, out, err = side.run(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "sh", "-c", SCRIPT, "sh",
                               folders[-1]])
    if side.inside and (code != 3 or b"shmget" not in err or b"Function not implemented" not in err):
        raise Failed(f"it was to stop at shmget and to say so: {code} {out[-300:]!r} {err[-600:]!r}")
    if not side.inside and (code != 0 or b'sum = "500500"' not in out):
        raise Failed(f"it does not run natively: {code} {out[-300:]!r} {err[-600:]!r}")
    return [("version", out.splitlines()[0])]


CASES = [
    Case("postgres", "pg_ctlcluster", PACKAGE, "initdb and single-user mode as user postgres", check, needs=("setpriv",),
         stops="stops in initdb", limits="its first shmget is refused (ENOSYS, in the log): even a single backend holds its interlock "
         "in System V memory, which enclaves cannot share"),
]
