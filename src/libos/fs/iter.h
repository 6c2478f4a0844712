/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Where the bytes of a read or write go to or come from: a run of application ranges (checked by
 * mm/user.h at every copy) or of library OS memory. Copying advances it.
 *
 * Never copy while holding an inode's `lock`: a fault on application memory may need a page of the
 * very file that is being read.
 */

#include "core/types.h"
#include "libos/mm/user.h"

struct iter {
    const struct user_iovec *v;
    size_t count;
    uint64_t done_in_first; /* bytes of v[0] already used */
    uint64_t left;          /* total bytes left */
    bool kernel;            /* v[].base are library OS addresses */
    struct user_iovec one;
};

void iter_init_user(struct iter *it, uint64_t base, uint64_t size);
void iter_init_kernel(struct iter *it, const void *base, size_t size);
void iter_init_iov(struct iter *it, const struct user_iov *iov);

/* Copies `size` bytes (at most it->left) to the iterator / from it. Bytes copied: fewer than asked
 * when application memory faulted, and then 0 more will follow. */
size_t iter_put(struct iter *it, const void *src, size_t size);
size_t iter_take(struct iter *it, void *dst, size_t size);
size_t iter_zero(struct iter *it, size_t size);
/* Steps over bytes without touching them. */
void iter_skip(struct iter *it, uint64_t size);
/* Goes back over bytes taken since `saved` was copied from the iterator. */
static inline void iter_restore(struct iter *it, const struct iter *saved)
{
    *it = *saved;
    if (saved->v == &saved->one) {
        it->v = &it->one;
    }
}
