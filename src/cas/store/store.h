/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Where CAS keeps sessions and secrets. A backend is a vtable (SQLite here; a shared server for
 * replicas later) and knows nothing of the policy: names, hashes, bytes. Every call is one
 * transaction; when it returned 0, the write survives the death of the process and of the machine.
 *
 * Documents and secrets reach the backend's disk only encrypted: AES-256-GCM under a key derived
 * from the master key and from where the value stands (table, row, version), which is also its
 * additional data. A value copied to another row, table or database does not open.
 * docs/formats/store.md
 *
 * Calls on one store must not run at the same time.
 */

#include "cas/secrets.h"

#define STORE_KEY_SIZE     32
#define STORE_DOCUMENT_MAX ((size_t)4 * 1024 * 1024)

struct store_session {
    char *name;
    uint64_t version; /* grows with every write to the store */
    uint8_t hash[POL_HASH_SIZE];
    int64_t created; /* unix seconds */
    struct cas_bytes document;
};

void store_session_clear(struct store_session *s);
#define _cleanup_store_session_ _cleanup_(store_session_clear)

/* One session's new state. */
struct store_write {
    const char *name;
    const uint8_t *predecessor; /* hash of the version it replaces; NULL: the session is new */
    const uint8_t *hash;        /* its own */
    const char *document;
    size_t document_size;
    const struct cas_secrets *secrets;
    int64_t now;
};

struct store;

struct store_ops {
    const char *name;

    /* -EEXIST: new, and there is one. -ENOENT: an update of nothing. -ESTALE: the predecessor is
     * not the current version. Versions before stay readable by their hash. */
    int (*put)(struct store *s, const struct store_write *w, struct error **err);

    /* The current version, or the one with `hash`. -ENOENT. */
    int (*get)(struct store *s, const char *name, const uint8_t *hash, struct store_session *ret,
               struct error **err);

    /* The current hash alone: cheap. -ENOENT. */
    int (*head)(struct store *s, const char *name, uint8_t ret[static POL_HASH_SIZE],
                struct error **err);

    /* Forgets the session, its history and its secrets. -ESTALE as put, -ENOTEMPTY while there are
     * sessions below it. */
    int (*remove)(struct store *s, const char *name, const uint8_t *hash, struct error **err);

    /* Calls `each` with the names below `namespace` ("" or "/": all) in order, those behind `after`
     * first; stops after `limit` or when `each` returns non-zero, which it then returns. */
    int (*list)(struct store *s, const char *namespace, const char *after, size_t limit,
                int (*each)(void *ctx, const char *name, const uint8_t *hash), void *ctx,
                struct error **err);

    /* The secrets of the current version. */
    int (*secrets)(struct store *s, const char *name, struct cas_secrets *ret, struct error **err);

    /* Replaces them, for renewals, while `hash` is still the current version (else -ESTALE). */
    int (*put_secrets)(struct store *s, const char *name, const uint8_t *hash,
                       const struct cas_secrets *secrets, struct error **err);

    int (*count)(struct store *s, uint64_t *ret, struct error **err);

    /* A small value that is not secret (names of the schema's users begin with their component). */
    int (*meta_get)(struct store *s, const char *key, struct cas_bytes *ret, struct error **err);
    int (*meta_put)(struct store *s, const char *key, const void *data, size_t size,
                    struct error **err);

    void (*close)(struct store *s);
};

struct store {
    const struct store_ops *ops;
};

/* Opens or makes the database `path` (mode 0600) and brings its schema up to date. -EKEYREJECTED:
 * made with another master key. -EPROTONOSUPPORT: made by a newer nacre. */
[[nodiscard]] int store_sqlite_open(const char *path, const uint8_t key[static STORE_KEY_SIZE],
                                    struct store **ret, struct error **err);

/* Copies the database as it is at one moment into an empty file, while a CAS may be using it. */
[[nodiscard]] int store_sqlite_snapshot(const char *path, const char *to_path, struct error **err);

static inline void store_closep(struct store **s)
{
    if (*s != NULL) {
        (*s)->ops->close(*s);
        *s = NULL;
    }
}
#define _cleanup_store_ _cleanup_(store_closep)
