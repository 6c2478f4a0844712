/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "convert/ld_cache.h"

#include <string.h>

#define OLD_MAGIC   "ld.so-1.7.0"
#define OLD_ENTRY   12u
#define NEW_MAGIC   "glibc-ld.so.cache1.1"
#define HEADER_SIZE 48u
#define ENTRY_SIZE  24u

static uint32_t u32_at(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v)); /* written in the machine's order, which is little-endian here */
    return v;
}

/* The text at an offset that counts from the new header. */
static const char *text_at(const uint8_t *base, size_t size, uint32_t at)
{
    return at < size && memchr(base + at, '\0', size - at) != NULL ? (const char *)base + at : NULL;
}

int ld_cache_find(const void *data, size_t size, const char *name,
                  int (*found)(void *ctx, const char *path), void *ctx)
{
    const uint8_t *p = data;
    uint32_t count;

    if (size >= 16 && memcmp(p, OLD_MAGIC, strlen(OLD_MAGIC)) == 0) {
        const uint64_t skip = (16 + (uint64_t)u32_at(p + 12) * OLD_ENTRY + 7) & ~7ull;

        if (skip >= size) {
            return 0;
        }
        p += skip;
        size -= (size_t)skip;
    }
    if (size < HEADER_SIZE || memcmp(p, NEW_MAGIC, strlen(NEW_MAGIC)) != 0) {
        return 0;
    }
    count = u32_at(p + 20);
    if (count > (size - HEADER_SIZE) / ENTRY_SIZE) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = p + HEADER_SIZE + (size_t)i * ENTRY_SIZE;
        const char *key = text_at(p, size, u32_at(e + 4));
        const char *path = text_at(p, size, u32_at(e + 8));
        int r;

        if (key == NULL || path == NULL || strcmp(key, name) != 0) {
            continue;
        }
        r = found(ctx, path);
        if (r != 0) {
            return r;
        }
    }
    return 0;
}
