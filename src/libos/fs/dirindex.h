/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The entries of one directory in memory: found by name through a hash, listed in order of
 * creation by cookies that never change and are never used again (so telldir positions survive
 * whatever happens to other entries). Guarded by the namespace lock.
 */

#include "libos/fs/inode.h"

struct dir_entry {
    uint64_t cookie;        /* from 3 up: 1 and 2 are "." and ".." */
    struct dir_entry *next; /* same hash bucket */
    struct inode *inode;    /* a reference; may be NULL when the owner finds it another way */
    uint64_t ino;
    uint8_t type; /* DT_* */
    uint8_t kind; /* the owner's: overlay uses it for whiteouts */
    uint32_t hash;
    uint32_t len;
    char name[];
};

struct dir_slot {
    uint64_t cookie;
    struct dir_entry *e; /* NULL: was removed */
};

struct dirindex {
    struct dir_slot *order; /* by cookie */
    size_t order_len;
    size_t order_cap;
    struct dir_entry **bucket;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    uint64_t next_cookie;
};

#define DIR_FIRST_COOKIE 3u

/* An entry's inode reference is the index's from then on. -ENOMEM, -EEXIST is the caller's to
 * check. */
[[nodiscard]] int dirindex_add(struct dirindex *d, const struct qstr *name, struct inode *inode,
                               uint64_t ino, uint8_t type, struct dir_entry **ret);
struct dir_entry *dirindex_find(const struct dirindex *d, const struct qstr *name);
/* Takes an entry out and frees it; its inode reference is dropped. */
void dirindex_remove(struct dirindex *d, struct dir_entry *e);
/* The first entry whose cookie is >= pos, or NULL. */
struct dir_entry *dirindex_next(const struct dirindex *d, uint64_t pos);
void dirindex_clear(struct dirindex *d);
/* Emits the entries, skipping those for which `skip` (may be NULL) says so. */
int dirindex_emit(const struct dirindex *d, struct dir_context *ctx,
                  bool (*skip)(const struct dir_entry *e));
struct qstr qstr_make(const char *s, size_t len);
