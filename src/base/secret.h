/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Bytes that must not outlive their use. A secret lives in pages of its own: locked into memory
 * when the limit on locked memory allows it, left out of core dumps, not copied into a forked
 * child, and wiped when it ends. Compare secrets with secret_equal() only.
 */

#include "base/error.h"

#define SECRET_SIZE_MAX ((size_t)1024 * 1024)

struct secret {
    uint8_t *data; /* NUL follows the last byte, for secrets that are text */
    size_t size;
    size_t mapped; /* bytes of the mapping */
    bool locked;   /* mlock succeeded: a hint for messages, never a condition */
};

/* A zero-filled secret of 1..SECRET_SIZE_MAX bytes. -EINVAL, -ENOMEM. */
[[nodiscard]] int secret_new(size_t size, struct secret **ret);

/* As secret_new, filled from `data`. The caller wipes his own copy. */
[[nodiscard]] int secret_copy(const void *data, size_t size, struct secret **ret);

/* Shortens the secret and wipes what is cut off; `size` is at most the present one. */
void secret_truncate(struct secret *s, size_t size);

/* Reads a file of 1..max bytes (max <= SECRET_SIZE_MAX) without leaving copies in the heap.
 * "-" reads standard input. */
[[nodiscard]] int secret_read_file(const char *path, size_t max, struct secret **ret,
                                   struct error **err);

/* Constant time in the contents; the sizes are not secret. */
[[nodiscard]] bool secret_equal(const struct secret *a, const struct secret *b);

/* Wipes and unmaps. Accepts NULL, returns NULL. */
struct secret *secret_free(struct secret *s);
static inline void secret_freep(struct secret **s)
{
    *s = secret_free(*s);
}
#define _cleanup_secret_ _cleanup_(secret_freep)
