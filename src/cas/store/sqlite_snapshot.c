/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* A copy of the database at one moment, while others may write to it. */

#include <sqlite3.h>

#include "cas/store/store.h"

#define BUSY_MS 10000

static int copy(sqlite3 *from, sqlite3 *to)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int code;

    if (b == NULL) {
        return sqlite3_errcode(to);
    }
    /* All pages in one step, under one read lock: one moment. */
    code = sqlite3_backup_step(b, -1);
    return sqlite3_backup_finish(b) == SQLITE_OK && code == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
}

int store_sqlite_snapshot(const char *path, const char *to_path, struct error **err)
{
    sqlite3 *from = NULL;
    sqlite3 *to = NULL;
    int code = sqlite3_open_v2(path, &from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);

    if (code == SQLITE_OK) {
        (void)sqlite3_busy_timeout(from, BUSY_MS);
        code = sqlite3_open_v2(
            to_path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
    }
    if (code == SQLITE_OK) {
        code = copy(from, to);
    }
    (void)sqlite3_close(to);
    (void)sqlite3_close(from);
    return code == SQLITE_OK
               ? 0
               : error_set(err, EIO, "cannot copy the database %s: %s", path, sqlite3_errstr(code));
}
