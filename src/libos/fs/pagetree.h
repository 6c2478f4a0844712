/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Pages of a file by index: a radix tree, so that a sparse file costs what it holds. Pages are
 * counted: a reader pins one, lets the lock go, and copies at leisure. The tree itself is guarded
 * by its owner's lock.
 */

#include "libos/lib/sync.h"

struct file_page {
    struct refcount refs;
    uint8_t *data; /* NACRE_PAGE_SIZE bytes */
};

struct pagetree {
    void *root;
    uint32_t height; /* levels; 0: empty */
    uint64_t count;  /* pages present */
};

struct file_page *page_alloc(void); /* zeroed, one reference; NULL: no memory */
void page_put(struct file_page *p);

/* The page at `index`, borrowed; NULL: a hole. */
struct file_page *pagetree_get(const struct pagetree *t, uint64_t index);
/* Puts a page where none is; takes over the reference on success. -EEXIST, -ENOMEM. */
[[nodiscard]] int pagetree_insert(struct pagetree *t, uint64_t index, struct file_page *p);
/* Drops the pages of [first, last]. */
void pagetree_remove_range(struct pagetree *t, uint64_t first, uint64_t last);
/* The first present page >= index; false: none. */
bool pagetree_next(const struct pagetree *t, uint64_t index, uint64_t *ret);
/* The first absent page >= index. */
uint64_t pagetree_next_hole(const struct pagetree *t, uint64_t index);
