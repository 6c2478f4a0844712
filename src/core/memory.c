/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * memcpy, memset, memmove and memcmp for the trusted build: the compiler may call them whether or
 * not the source does (C17 4p6), and there is no libc. `rep movsb`/`rep stosb` are fast from about
 * a hundred bytes up on every target processor (ERMS, FSRM).
 */

#include "core/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t size);
void *memmove(void *dst, const void *src, size_t size);
void *memset(void *dst, int c, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
    void *d = dst;

    __asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(size) : : "memory");
    return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    if ((uintptr_t)d - (uintptr_t)s >= size) {
        return memcpy(dst, src, size);
    }
    d += size;
    s += size;
    while (size >= 8) {
        uint64_t v;

        d -= 8;
        s -= 8;
        size -= 8;
        __builtin_memcpy(&v, s, 8);
        __builtin_memcpy(d, &v, 8);
    }
    while (size > 0) {
        d--;
        s--;
        size--;
        *d = *s;
        __asm__ volatile("" : : : "memory");
    }
    return dst;
}

void *memset(void *dst, int c, size_t size)
{
    void *d = dst;

    __asm__ volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(c) : "memory");
    return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *pa = a;
    const uint8_t *pb = b;

    for (size_t i = 0; i < size; i++) {
        if (pa[i] != pb[i]) {
            return pa[i] < pb[i] ? -1 : 1;
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
        __asm__ volatile("" : : : "memory");
    }
    return n;
}
