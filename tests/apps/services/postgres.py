# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL as a server: shared buffers, a process for each connection, parallel queries."""
import glob

from .harness import Case, Failed

PACKAGE = "postgresql-15"
SCRIPT = """d=$(mktemp -d) && PATH=$1:$PATH && trap 'rm -rf $d' EXIT && postgres --version &&
initdb -D $d/db -A trust --no-sync -E UTF8 --locale=C.UTF-8 >$d/log 2>&1 || { cat $d/log >&2; exit 3; }
echo 'create table t(a int); insert into t select generate_series(1, 1000); select sum(a) from t;' |
    postgres --single -D $d/db postgres 2>&1 | grep -o 'sum = "[0-9]*"' || exit 4
pg_ctl -D $d/db -l $d/server -w -o "-k $d -c listen_addresses=" start >/dev/null || { cat $d/server >&2; exit 5; }
psql -h $d -At postgres -c 'select count(*), sum(a) from t' || exit 6
pgbench -h $d -i -s 1 -q postgres >/dev/null 2>&1 || exit 7
pgbench -h $d -c 4 -t 50 postgres 2>$d/err | grep -E 'processed|failed' || { cat $d/err $d/server >&2; exit 8; }
psql -h $d -At postgres -c 'select sum(abalance) = (select sum(delta) from pgbench_history) from pgbench_accounts' || exit 9
psql -h $d -At postgres -c 'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
    set min_parallel_table_scan_size = 0; select sum(aid) from pgbench_accounts' || exit 10
psql -h $d -At postgres -c 'listen x; select pg_advisory_lock(1), pg_try_advisory_lock(1)' || exit 11
pg_ctl -D $d/db -m fast -w stop || { cat $d/server >&2; exit 12; }
"""


def check(side, box):
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        raise Failed("postgres is installed, its programs are not under /usr/lib/postgresql")
    code, out, err = side.run(["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "sh", "-c", SCRIPT, "sh",
                               folders[-1]], seconds=150)
    if code != 0 or b"5000050000" not in out:
        raise Failed(f"exit status {code}: {out[-600:]!r} {err[-800:]!r}")
    return [("output", out.splitlines())]


CASES = [
    Case("postgres", "pg_ctlcluster", PACKAGE, "initdb, single-user mode, and the server with pgbench, 4 clients, and a parallel query, "
         "as user postgres", check, needs=("setpriv",),
         limits="every backend has pages of the shared buffers fetched from whoever has them: a tenth of native's transactions"),
]
