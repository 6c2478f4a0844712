/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The embedded store. Write-ahead log with synchronous=FULL: a transaction that was acknowledged is
 * on the disk. One connection, prepared statements, one transaction a call.
 */

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cas/store/schema.h"
#include "cas/store/seal.h"
#include "core/ct.h"

#define BUSY_MS     10000
#define SECRETS_MAX ((size_t)4096)
#define SCHEMA_LAST ((int)ARRAY_COUNT(store_schema))

#define STATEMENTS(X)                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                \
    X(COMMIT, "COMMIT")                                                                        \
    X(ROLLBACK, "ROLLBACK")                                                                    \
    X(NEXT, "UPDATE counter SET value = value + 1 WHERE one = 1 RETURNING value")              \
    X(HEAD, "SELECT s.hash, s.version FROM heads h JOIN sessions s ON s.version = h.version "  \
            "WHERE h.name = ?1")                                                               \
    X(INSERT, "INSERT INTO sessions (version, name, hash, created, document) "                 \
              "VALUES (?1, ?2, ?3, ?4, ?5)")                                                   \
    X(SET_HEAD, "INSERT INTO heads (name, version) VALUES (?1, ?2) "                           \
                "ON CONFLICT (name) DO UPDATE SET version = excluded.version")                 \
    X(GET, "SELECT s.version, s.hash, s.created, s.document FROM heads h "                     \
           "JOIN sessions s ON s.version = h.version WHERE h.name = ?1")                       \
    X(GET_BY_HASH, "SELECT version, hash, created, document FROM sessions "                    \
                   "WHERE name = ?1 AND hash = ?2")                                            \
    X(BELOW, "SELECT 1 FROM heads WHERE name > ?1 || '/' AND name < ?1 || '0' LIMIT 1")        \
    X(DELETE_HEAD, "DELETE FROM heads WHERE name = ?1")                                        \
    X(DELETE_SESSIONS, "DELETE FROM sessions WHERE name = ?1")                                 \
    X(DELETE_SECRETS, "DELETE FROM secrets WHERE session = ?1")                                \
    X(PUT_SECRET, "INSERT INTO secrets (session, name, version, kind, definition, data) "      \
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                           \
    X(SECRETS, "SELECT name, version, kind, definition, data FROM secrets WHERE session = ?1 " \
               "ORDER BY name")                                                                \
    X(LIST, "SELECT h.name, s.hash FROM heads h JOIN sessions s ON s.version = h.version "     \
            "WHERE h.name > ?1 AND h.name < ?2 ORDER BY h.name LIMIT ?3")                      \
    X(COUNT, "SELECT count(*) FROM heads")                                                     \
    X(META_GET, "SELECT value FROM meta WHERE key = ?1")                                       \
    X(META_PUT, "INSERT INTO meta (key, value) VALUES (?1, ?2) "                               \
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value")

enum statement {
#define X(name, sql) Q_##name,
    STATEMENTS(X)
#undef X
        Q_COUNT_
};

static const char *const statement_sql[Q_COUNT_] = {
#define X(name, sql) sql,
    STATEMENTS(X)
#undef X
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    uint8_t key[STORE_KEY_SIZE];
    sqlite3_stmt *q[Q_COUNT_];
};

static struct sqlite_store *of(struct store *s)
{
    return container_of(s, struct sqlite_store, store);
}

void store_session_clear(struct store_session *s)
{
    free(s->name);
    cas_bytes_clear(&s->document);
    *s = (struct store_session){0};
}

/* ---- statements ----------------------------------------------------------------------------- */

static int db_error(struct sqlite_store *s, struct error **err)
{
    int code;

    switch (sqlite3_errcode(s->db) & 0xff) {
    case SQLITE_NOMEM: code = ENOMEM; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: code = EBUSY; break;
    case SQLITE_FULL: code = ENOSPC; break;
    case SQLITE_READONLY:
    case SQLITE_PERM: code = EACCES; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: code = EBADMSG; break;
    default: code = EIO; break;
    }
    return error_set(err, code, "the database: %s", sqlite3_errmsg(s->db));
}

/* A statement ready for binding; reset it with the cleanup. */
static void reset_statement(sqlite3_stmt **q)
{
    if (*q != NULL) {
        (void)sqlite3_reset(*q);
        (void)sqlite3_clear_bindings(*q);
    }
}
#define _cleanup_statement_ _cleanup_(reset_statement)

static int bind_text(sqlite3_stmt *q, int at, const char *s)
{
    return sqlite3_bind_text(q, at, s, -1, SQLITE_STATIC) == SQLITE_OK ? 0 : -ENOMEM;
}

static int bind_blob(sqlite3_stmt *q, int at, const void *p, size_t size)
{
    return sqlite3_bind_blob64(q, at, p, size, SQLITE_STATIC) == SQLITE_OK ? 0 : -ENOMEM;
}

static int bind_u64(sqlite3_stmt *q, int at, uint64_t v)
{
    return sqlite3_bind_int64(q, at, (sqlite3_int64)v) == SQLITE_OK ? 0 : -ENOMEM;
}

/* 1: a row; 0: none left. */
static int step(struct sqlite_store *s, sqlite3_stmt *q, struct error **err)
{
    const int r = sqlite3_step(q);

    return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : db_error(s, err);
}

static int run(struct sqlite_store *s, enum statement which, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[which];
    const int r = step(s, q, err);

    return MIN(r, 0);
}

static int run_text(struct sqlite_store *s, enum statement which, const char *text,
                    struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[which];
    int r = bind_text(q, 1, text) < 0 ? db_error(s, err) : step(s, q, err);

    return MIN(r, 0);
}

/* Ends a transaction as `r` asks; a commit that fails is rolled back. */
static int finish(struct sqlite_store *s, int r, struct error **err)
{
    if (r >= 0) {
        r = run(s, Q_COMMIT, err);
    }
    if (r < 0 && sqlite3_get_autocommit(s->db) == 0) {
        (void)run(s, Q_ROLLBACK, NULL);
    }
    return r;
}

static int next_version(struct sqlite_store *s, uint64_t *ret, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_NEXT];
    int r = step(s, q, err);

    if (r == 1) {
        *ret = (uint64_t)sqlite3_column_int64(q, 0);
        r = step(s, q, err); /* RETURNING has done its work only after the last row */
    } else if (r == 0) {
        r = error_set(err, EBADMSG, "the database has lost its counter");
    }
    return r;
}

static int column_hash(sqlite3_stmt *q, int at, uint8_t ret[static POL_HASH_SIZE])
{
    if (sqlite3_column_bytes(q, at) != POL_HASH_SIZE) {
        return -EBADMSG;
    }
    memcpy(ret, sqlite3_column_blob(q, at), POL_HASH_SIZE);
    return 0;
}

static int unseal_column(struct sqlite_store *s, sqlite3_stmt *q, int at,
                         const struct store_place *place, struct cas_bytes *ret, struct error **err)
{
    int r = store_unseal(s->key, place, sqlite3_column_blob(q, at),
                         (size_t)sqlite3_column_bytes(q, at), ret);

    if (r == -EBADMSG) {
        return error_set(err, EBADMSG, "the database was tampered with: %s of %s does not open",
                         place->table, place->key);
    }
    return r < 0 ? error_set_errno(err, -r, "reading %s", place->table) : 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int get_head(struct sqlite_store *s, const char *name, uint8_t *ret_hash, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_HEAD];
    int r = bind_text(q, 1, name) < 0 ? db_error(s, err) : step(s, q, err);

    if (r == 0) {
        return error_set(err, ENOENT, "there is no session %s", name);
    }
    if (r > 0) {
        r = column_hash(q, 0, ret_hash);
    }
    return r;
}

static int sqlite_head(struct store *store, const char *name, uint8_t ret[static POL_HASH_SIZE],
                       struct error **err)
{
    return get_head(of(store), name, ret, err);
}

static int sqlite_get(struct store *store, const char *name, const uint8_t *hash,
                      struct store_session *ret, struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[hash != NULL ? Q_GET_BY_HASH : Q_GET];
    _cleanup_store_session_ struct store_session out = {0};
    struct store_place place = {.table = "sessions", .key = name};
    int r = bind_text(q, 1, name);

    if (r == 0 && hash != NULL) {
        r = bind_blob(q, 2, hash, POL_HASH_SIZE);
    }
    r = r < 0 ? db_error(s, err) : step(s, q, err);
    if (r == 0) {
        return error_set(err, ENOENT,
                         hash != NULL ? "session %s has no version with this hash"
                                      : "there is no session %s",
                         name);
    }
    if (r < 0) {
        return r;
    }
    out.version = (uint64_t)sqlite3_column_int64(q, 0);
    out.created = sqlite3_column_int64(q, 2);
    place.version = out.version;
    r = column_hash(q, 1, out.hash);
    if (r == 0) {
        r = unseal_column(s, q, 3, &place, &out.document, err);
    }
    if (r < 0) {
        return r;
    }
    out.name = strdup(name);
    if (out.name == NULL) {
        return error_set_errno(err, ENOMEM, "reading session %s", name);
    }
    *ret = out;
    out = (struct store_session){0};
    return 0;
}

static int secret_key(const char *session, const char *name, char **ret)
{
    if (asprintf(ret, "%s:%s", session, name) < 0) { /* no name holds a colon */
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int read_secret(struct sqlite_store *s, sqlite3_stmt *q, const char *session,
                       struct cas_secret *ret, struct error **err)
{
    _cleanup_free_ char *key = NULL;
    struct store_place place = {.table = "secrets"};
    const char *name = (const char *)sqlite3_column_text(q, 0);

    if (name == NULL || secret_key(session, name, &key) < 0) {
        return error_set_errno(err, ENOMEM, "reading secrets of %s", session);
    }
    ret->name = strdup(name);
    if (ret->name == NULL) {
        return error_set_errno(err, ENOMEM, "reading secrets of %s", session);
    }
    ret->kind = (enum secret_kind)sqlite3_column_int(q, 2);
    place.key = key;
    place.version = (uint64_t)sqlite3_column_int64(q, 1);
    if (column_hash(q, 3, ret->definition) < 0) {
        return error_set(err, EBADMSG, "the database was tampered with: secret %s", key);
    }
    return unseal_column(s, q, 4, &place, &ret->data, err);
}

static int sqlite_secrets(struct store *store, const char *name, struct cas_secrets *ret,
                          struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_SECRETS];
    _cleanup_secrets_ struct cas_secrets out = {0};
    size_t cap = 0;
    int r = bind_text(q, 1, name) < 0 ? db_error(s, err) : 0;

    while (r >= 0 && (r = step(s, q, err)) == 1) {
        if (out.count == cap) {
            const size_t grown_cap = MAX(2 * cap, (size_t)16);
            struct cas_secret *grown =
                out.count < SECRETS_MAX ? realloc(out.items, grown_cap * sizeof(*grown)) : NULL;

            if (grown == NULL) {
                return error_set_errno(err, ENOMEM, "reading secrets of %s", name);
            }
            memset(grown + cap, 0, (grown_cap - cap) * sizeof(*grown));
            out.items = grown;
            cap = grown_cap;
        }
        out.count++;
        r = read_secret(s, q, name, &out.items[out.count - 1], err);
    }
    if (r < 0) {
        return r;
    }
    *ret = out;
    out = (struct cas_secrets){0};
    return 0;
}

static int sqlite_list(struct store *store, const char *namespace, const char *after, size_t limit,
                       int (*each)(void *ctx, const char *name, const uint8_t *hash), void *ctx,
                       struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_LIST];
    _cleanup_free_ char *from = NULL;
    _cleanup_free_ char *to = NULL;
    const bool all = namespace[0] == '\0' || strcmp(namespace, "/") == 0;
    int r;

    /* '0' follows '/': everything that begins with "namespace/". '\x7f' follows every name. */
    if (asprintf(&from, "%s%s", all ? "" : namespace, all ? "" : "/") < 0 ||
        asprintf(&to, "%s%s", all ? "\x7f" : namespace, all ? "" : "0") < 0) {
        return error_set_errno(err, ENOMEM, "listing sessions");
    }
    if (after != NULL && strcmp(after, from) > 0) {
        free(from);
        from = strdup(after);
    }
    if (from == NULL || bind_text(q, 1, from) < 0 || bind_text(q, 2, to) < 0 ||
        bind_u64(q, 3, limit) < 0) {
        return error_set_errno(err, ENOMEM, "listing sessions");
    }
    while ((r = step(s, q, err)) == 1) {
        uint8_t hash[POL_HASH_SIZE];

        r = column_hash(q, 1, hash);
        if (r == 0) {
            r = each(ctx, (const char *)sqlite3_column_text(q, 0), hash);
        }
        if (r != 0) {
            return r;
        }
    }
    return r;
}

static int sqlite_count(struct store *store, uint64_t *ret, struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_COUNT];
    const int r = step(s, q, err);

    if (r == 1) {
        *ret = (uint64_t)sqlite3_column_int64(q, 0);
    }
    return MIN(r, 0);
}

/* ---- writing -------------------------------------------------------------------------------- */

static int put_one_secret(struct sqlite_store *s, const char *session,
                          const struct cas_secret *secret, uint64_t version, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_PUT_SECRET];
    _cleanup_bytes_ struct cas_bytes sealed = {0};
    _cleanup_free_ char *key = NULL;
    struct store_place place = {.table = "secrets", .version = version};
    int r = secret_key(session, secret->name, &key);

    if (r == 0) {
        place.key = key;
        r = store_seal(s->key, &place, secret->data.p, secret->data.size, &sealed);
    }
    if (r < 0) {
        return error_set_errno(err, -r, "encrypting secret %s", secret->name);
    }
    if (bind_text(q, 1, session) < 0 || bind_text(q, 2, secret->name) < 0 ||
        bind_u64(q, 3, version) < 0 || bind_u64(q, 4, secret->kind) < 0 ||
        bind_blob(q, 5, secret->definition, POL_HASH_SIZE) < 0 ||
        bind_blob(q, 6, sealed.p, sealed.size) < 0) {
        return db_error(s, err);
    }
    r = step(s, q, err);
    return MIN(r, 0);
}

static int replace_secrets(struct sqlite_store *s, const char *session,
                           const struct cas_secrets *secrets, uint64_t version, struct error **err)
{
    int r = run_text(s, Q_DELETE_SECRETS, session, err);

    for (size_t i = 0; r == 0 && secrets != NULL && i < secrets->count; i++) {
        r = put_one_secret(s, session, &secrets->items[i], version, err);
    }
    return r;
}

/* Is the session in the state the writer believes it to be? */
static int check_predecessor(struct sqlite_store *s, const char *name, const uint8_t *predecessor,
                             struct error **err)
{
    uint8_t current[POL_HASH_SIZE];
    int r = get_head(s, name, current, err);

    if (predecessor == NULL) {
        if (r == 0) {
            return error_set(err, EEXIST, "session %s exists already", name);
        }
        if (r == -ENOENT && err != NULL) {
            *err = error_free(*err);
        }
        return r == -ENOENT ? 0 : r;
    }
    if (r == 0 && !ct_equal(current, predecessor, POL_HASH_SIZE)) {
        return error_set(err, ESTALE,
                         "session %s has changed: the predecessor given is not its "
                         "current version",
                         name);
    }
    return r;
}

static int insert_session(struct sqlite_store *s, const struct store_write *w, uint64_t version,
                          struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_INSERT];
    _cleanup_bytes_ struct cas_bytes sealed = {0};
    const struct store_place place = {.table = "sessions", .key = w->name, .version = version};
    int r = store_seal(s->key, &place, w->document, w->document_size, &sealed);

    if (r < 0) {
        return error_set_errno(err, -r, "encrypting session %s", w->name);
    }
    if (bind_u64(q, 1, version) < 0 || bind_text(q, 2, w->name) < 0 ||
        bind_blob(q, 3, w->hash, POL_HASH_SIZE) < 0 || bind_u64(q, 4, (uint64_t)w->now) < 0 ||
        bind_blob(q, 5, sealed.p, sealed.size) < 0) {
        return db_error(s, err);
    }
    r = step(s, q, err);
    return MIN(r, 0);
}

static int set_head(struct sqlite_store *s, const char *name, uint64_t version, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_SET_HEAD];
    int r = bind_text(q, 1, name) < 0 || bind_u64(q, 2, version) < 0 ? db_error(s, err)
                                                                     : step(s, q, err);

    return MIN(r, 0);
}

static int sqlite_put(struct store *store, const struct store_write *w, struct error **err)
{
    struct sqlite_store *s = of(store);
    uint64_t version = 0;
    int r;

    if (w->document_size > STORE_DOCUMENT_MAX) {
        return error_set(err, EFBIG, "the session document is larger than 4 MiB");
    }
    r = run(s, Q_BEGIN, err);
    if (r < 0) {
        return r;
    }
    r = check_predecessor(s, w->name, w->predecessor, err);
    if (r == 0) {
        r = next_version(s, &version, err);
    }
    if (r == 0) {
        r = insert_session(s, w, version, err);
    }
    if (r == 0) {
        r = set_head(s, w->name, version, err);
    }
    if (r == 0) {
        r = replace_secrets(s, w->name, w->secrets, version, err);
    }
    return finish(s, r, err);
}

static int sqlite_put_secrets(struct store *store, const char *name, const uint8_t *hash,
                              const struct cas_secrets *secrets, struct error **err)
{
    struct sqlite_store *s = of(store);
    uint64_t version = 0;
    int r = run(s, Q_BEGIN, err);

    if (r < 0) {
        return r;
    }
    r = check_predecessor(s, name, hash, err);
    if (r == 0) {
        r = next_version(s, &version, err);
    }
    if (r == 0) {
        r = replace_secrets(s, name, secrets, version, err);
    }
    return finish(s, r, err);
}

static int has_sessions_below(struct sqlite_store *s, const char *name, struct error **err)
{
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_BELOW];

    /* Below the root is everything but itself. */
    return bind_text(q, 1, strcmp(name, "/") == 0 ? "" : name) < 0 ? db_error(s, err)
                                                                   : step(s, q, err);
}

static int sqlite_remove(struct store *store, const char *name, const uint8_t *hash,
                         struct error **err)
{
    static const enum statement deletes[] = {Q_DELETE_HEAD, Q_DELETE_SECRETS, Q_DELETE_SESSIONS};
    struct sqlite_store *s = of(store);
    uint64_t version;
    int r = run(s, Q_BEGIN, err);

    if (r < 0) {
        return r;
    }
    r = check_predecessor(s, name, hash, err);
    if (r == 0) {
        r = has_sessions_below(s, name, err);
    }
    if (r == 1) {
        r = error_set(err, ENOTEMPTY, "there are sessions below %s; delete them first", name);
    }
    if (r == 0) {
        r = next_version(s, &version, err);
    }
    for (size_t i = 0; i < ARRAY_COUNT(deletes) && r == 0; i++) {
        r = run_text(s, deletes[i], name, err);
    }
    return finish(s, r, err);
}

/* ---- meta ----------------------------------------------------------------------------------- */

static int sqlite_meta_get(struct store *store, const char *key, struct cas_bytes *ret,
                           struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_META_GET];
    int r = bind_text(q, 1, key) < 0 ? db_error(s, err) : step(s, q, err);

    if (r == 0) {
        return error_set(err, ENOENT, "the database has no '%s'", key);
    }
    if (r < 0) {
        return r;
    }
    r = cas_bytes_copy(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0), ret);
    return r < 0 ? error_set_errno(err, -r, "reading the database") : 0;
}

static int sqlite_meta_put(struct store *store, const char *key, const void *data, size_t size,
                           struct error **err)
{
    struct sqlite_store *s = of(store);
    _cleanup_statement_ sqlite3_stmt *q = s->q[Q_META_PUT];
    int r = bind_text(q, 1, key) < 0 || bind_blob(q, 2, data, size) < 0 ? db_error(s, err)
                                                                        : step(s, q, err);

    return MIN(r, 0);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int execute(struct sqlite_store *s, const char *sql, struct error **err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_error(s, err);
}

static int read_user_version(struct sqlite_store *s, int *ret, struct error **err)
{
    sqlite3_stmt *q = NULL;
    int r = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &q, NULL) == SQLITE_OK
                ? step(s, q, err)
                : db_error(s, err);

    if (r == 1) {
        *ret = sqlite3_column_int(q, 0);
    }
    (void)sqlite3_finalize(q);
    return MIN(r, 0);
}

static int migrate(struct sqlite_store *s, struct error **err)
{
    int version = 0;
    int r = read_user_version(s, &version, err);

    if (r == 0 && version > SCHEMA_LAST) {
        return error_set(err, EPROTONOSUPPORT,
                         "the database has schema %d, and this nacre knows up to %d; use the "
                         "newer nacre it was made with",
                         version, SCHEMA_LAST);
    }
    for (; r == 0 && version < SCHEMA_LAST; version++) {
        char set[48];

        (void)snprintf(set, sizeof(set), "PRAGMA user_version = %d", version + 1);
        r = execute(s, "BEGIN IMMEDIATE", err);
        if (r == 0) {
            r = execute(s, store_schema[version], err);
        }
        if (r == 0) {
            r = execute(s, set, err);
        }
        if (r == 0) {
            r = execute(s, "COMMIT", err);
        }
        if (r < 0) {
            (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    return r;
}

static int prepare_all(struct sqlite_store *s, struct error **err)
{
    for (size_t i = 0; i < Q_COUNT_; i++) {
        if (sqlite3_prepare_v3(s->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->q[i],
                               NULL) != SQLITE_OK) {
            return db_error(s, err);
        }
    }
    return 0;
}

/* A known text under the master key tells a wrong key from a damaged database. */
static int check_key(struct sqlite_store *s, struct error **err)
{
    static const char known[] = "nacre";
    const struct store_place place = {.table = "meta", .key = "store.key_check"};
    _cleanup_bytes_ struct cas_bytes stored = {0};
    _cleanup_bytes_ struct cas_bytes text = {0};
    _cleanup_error_ struct error *lookup = NULL;
    int r = sqlite_meta_get(&s->store, place.key, &stored, &lookup);

    if (r == -ENOENT) {
        r = store_seal(s->key, &place, known, sizeof(known), &stored);
        return r < 0 ? error_set_errno(err, -r, "encrypting")
                     : sqlite_meta_put(&s->store, place.key, stored.p, stored.size, err);
    }
    if (r < 0) {
        return error_set(err, -r, "%s", error_text(lookup));
    }
    r = store_unseal(s->key, &place, stored.p, stored.size, &text);
    return r == -EBADMSG
               ? error_set(err, EKEYREJECTED, "the master key is not the key of this database")
               : r;
}

static void sqlite_close(struct store *store)
{
    struct sqlite_store *s = of(store);

    for (size_t i = 0; i < Q_COUNT_; i++) {
        (void)sqlite3_finalize(s->q[i]);
    }
    (void)sqlite3_close(s->db);
    ct_wipe(s->key, sizeof(s->key));
    free(s);
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .put = sqlite_put,
    .get = sqlite_get,
    .head = sqlite_head,
    .remove = sqlite_remove,
    .list = sqlite_list,
    .secrets = sqlite_secrets,
    .put_secrets = sqlite_put_secrets,
    .count = sqlite_count,
    .meta_get = sqlite_meta_get,
    .meta_put = sqlite_meta_put,
    .close = sqlite_close,
};

int store_sqlite_open(const char *path, const uint8_t key[static STORE_KEY_SIZE],
                      struct store **ret, struct error **err)
{
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA secure_delete = ON;"
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA cell_size_check = ON;";
    _cleanup_store_ struct store *store = NULL;
    struct sqlite_store *s = calloc(1, sizeof(*s));
    const mode_t mask = umask(077);
    int r;

    if (s == NULL) {
        (void)umask(mask);
        return error_set_errno(err, ENOMEM, "opening %s", path);
    }
    s->store.ops = &sqlite_ops;
    memcpy(s->key, key, sizeof(s->key));
    store = &s->store;
    r = sqlite3_open_v2(path, &s->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, NULL);
    if (r == SQLITE_OK) {
        (void)sqlite3_busy_timeout(s->db, BUSY_MS);
        r = execute(s, settings, err);
    } else {
        r = s->db != NULL ? db_error(s, err) : error_set_errno(err, ENOMEM, "opening it");
    }
    (void)umask(mask);
    if (r == 0) {
        r = migrate(s, err);
    }
    if (r == 0) {
        r = prepare_all(s, err);
    }
    if (r == 0) {
        r = check_key(s, err);
    }
    if (r < 0) {
        (void)error_wrap(err, "opening %s", path);
        return r;
    }
    *ret = TAKE_PTR(store);
    return 0;
}
