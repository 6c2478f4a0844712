# SPDX-License-Identifier: Apache-2.0
"""sqlite3 on a file: WAL, locking between two connections, rollback, many rows."""
import os
import sqlite3
import tempfile

path = os.path.join(tempfile.mkdtemp(), "db")
a = sqlite3.connect(path, isolation_level=None, timeout=0.1)
b = sqlite3.connect(path, isolation_level=None, timeout=0.1)
print(a.execute("pragma journal_mode=wal").fetchone())
a.execute("create table t (k integer primary key, v text)")
a.execute("begin")
a.executemany("insert into t (v) values (?)", ((f"row {i}",) for i in range(5000)))
try:
    b.execute("begin immediate")
except sqlite3.OperationalError as e:
    print("second writer:", e)
print("reader sees", b.execute("select count(*) from t").fetchone()[0])
a.execute("commit")
print("after commit", b.execute("select count(*) from t").fetchone()[0])
b.execute("begin")
b.execute("delete from t where k % 2 = 0")
b.execute("rollback")
print(b.execute("select sum(k), max(v) from t").fetchone())
print(a.execute("pragma integrity_check").fetchone())
a.close()
b.close()
print(os.path.exists(path + "-wal"))
d = sqlite3.connect(path)
print(d.execute("pragma journal_mode=delete").fetchone())
d.execute("insert into t (v) values ('x')")
d.commit()
print(d.execute("select count(*) from t").fetchone())
