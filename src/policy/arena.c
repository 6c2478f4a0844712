/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/arena.h"

#include <stdlib.h>
#include <string.h>

#include "core/ct.h"
#include "core/overflow.h"

#define ARENA_CHUNK ((size_t)16 * 1024)
#define ARENA_ALIGN alignof(max_align_t)

struct chunk {
    struct chunk *next;
    size_t cap;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

struct arena {
    struct chunk *chunks;
    size_t left; /* bytes the bound still allows */
    bool failed;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (a != NULL) {
        a->left = max;
    }
    return a;
}

void arena_free(struct arena *a)
{
    if (a == NULL) {
        return;
    }
    for (struct chunk *c = a->chunks; c != NULL;) {
        struct chunk *next = c->next;

        ct_wipe(c->data, c->cap);
        free(c);
        c = next;
    }
    free(a);
}

static struct chunk *add_chunk(struct arena *a, size_t size)
{
    const size_t cap = MAX(size, ARENA_CHUNK);
    struct chunk *c = calloc(1, sizeof(*c) + cap);

    if (c != NULL) {
        c->cap = cap;
        c->next = a->chunks;
        a->chunks = c;
    }
    return c;
}

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    struct chunk *c = a->chunks;
    size_t bytes;
    void *p;

    if (mul_overflow(count, size, &bytes) || bytes > a->left) {
        a->failed = true;
        return NULL;
    }
    bytes = (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (c == NULL || c->cap - c->used < bytes) {
        c = add_chunk(a, bytes);
    }
    if (c == NULL) {
        a->failed = true;
        return NULL;
    }
    p = c->data + c->used;
    c->used += bytes;
    a->left -= MIN(bytes, a->left);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *p = arena_alloc(a, len + 1, 1);

    if (p != NULL) {
        memcpy(p, s, len);
    }
    return p;
}

bool arena_failed(const struct arena *a)
{
    return a->failed;
}
