/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The few string operations the library OS needs; there is no libc. */

#include "core/types.h"

static inline size_t str_len(const char *s)
{
    return __builtin_strlen(s);
}

static inline int str_cmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (int)(uint8_t)*a - (int)(uint8_t)*b;
}

static inline bool str_equal(const char *a, const char *b)
{
    return str_cmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
    while (*prefix != '\0') {
        if (*s++ != *prefix++) {
            return false;
        }
    }
    return true;
}

/* First `c` in `s`, or NULL. */
static inline const char *str_chr(const char *s, char c)
{
    for (; *s != '\0'; s++) {
        if (*s == c) {
            return s;
        }
    }
    return NULL;
}

/* Copies at most size - 1 chars and always terminates (size > 0). */
static inline void str_copy(char *dst, size_t size, const char *src)
{
    size_t i = 0;

    while (i + 1 < size && src[i] != '\0') {
        dst[i] = src[i];
        i++;
    }
    dst[i] = '\0';
}

/* A decimal number that is all of `s` (of `len` chars), without sign or leading zero. */
static inline bool str_to_u64(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;

    if (len == 0 || (len > 1 && s[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s[i] - '0'), &v)) {
            return false;
        }
    }
    *ret = v;
    return true;
}

static inline uint32_t str_hash(const char *s, size_t len)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)s[i]) * 16777619u;
    }
    return h;
}
