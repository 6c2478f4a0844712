/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * File systems whose files are made up when they are read: /proc, /sys, /dev. A tree of constant
 * tables; `arg` (a thread id, a descriptor …) comes down from directories made at lookup.
 */

#include "libos/fs/file.h"
#include "libos/lib/strbuf.h"

struct pseudo_entry {
    const char *name;
    uint32_t mode; /* type and permissions */
    /* S_IFDIR: the entries, ended by a NULL name; or, for names known only at lookup, the next two
     */
    const struct pseudo_entry *entries;
    /* The entry that `name` is and its arg: -ENOENT. May be NULL. */
    int (*find)(uint64_t arg, const struct qstr *name, const struct pseudo_entry **ret,
                uint64_t *ret_arg);
    int (*list)(uint64_t arg, struct dir_context *ctx);
    /* S_IFREG: the content; and what writing does (NULL: -EIO) */
    int (*show)(uint64_t arg, struct strbuf *out);
    int (*store)(uint64_t arg, const char *text, size_t len);
    /* S_IFLNK: the text, or the object itself */
    int (*link)(uint64_t arg, struct strbuf *out);
    int (*magic)(uint64_t arg, struct path *ret);
    /* S_IFCHR and files with operations of their own */
    const struct file_ops *ops;
    int (*check_open)(uint64_t arg); /* NULL: may always be opened */
    uint64_t rdev;
    uint64_t arg;
};

/* A superblock over a tree; `root` is an S_IFDIR entry. */
[[nodiscard]] int pseudo_create(const char *type, uint64_t magic, const struct pseudo_entry *root,
                                uint32_t flags, struct superblock **ret);
/* For list operations: emits one name at a cookie of the caller's (>= 3). False: stop. */
bool pseudo_emit(struct dir_context *ctx, const char *name, uint8_t type, uint64_t cookie);
