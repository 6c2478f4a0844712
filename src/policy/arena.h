/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Memory of one session: everything a session document leads to (tree, AST, strings) lives and dies
 * together. Bounded, zeroed on allocation and wiped on release, because explicit secret values are
 * in it.
 */

#include "core/types.h"

struct arena;

/* At most `max` bytes can be allocated over its life. NULL when out of memory. */
struct arena *arena_new(size_t max);
void arena_free(struct arena *a);
static inline void arena_freep(struct arena **a)
{
    arena_free(*a);
    *a = NULL;
}
#define _cleanup_arena_ _cleanup_(arena_freep)

/* Zeroed memory, aligned for any object. NULL past the bound or out of memory; then and from then
 * on arena_failed() is true. */
void *arena_alloc(struct arena *a, size_t count, size_t size);

/* A NUL-terminated copy. */
char *arena_strndup(struct arena *a, const char *s, size_t len);

bool arena_failed(const struct arena *a);
