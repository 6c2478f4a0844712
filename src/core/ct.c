/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/ct.h"

/* Eight bytes from anywhere. */
typedef uint64_t word _aligned_(1) __attribute__((may_alias));

bool ct_equal(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *pa = a;
    const volatile uint8_t *pb = b;
    uint64_t diff = 0;

    for (; size >= sizeof(word); size -= sizeof(word)) {
        diff |= *(const volatile word *)pa ^ *(const volatile word *)pb;
        pa += sizeof(word);
        pb += sizeof(word);
    }
    for (size_t i = 0; i < size; i++) {
        diff |= (uint8_t)(pa[i] ^ pb[i]);
    }
    return diff == 0;
}

bool ct_is_zero(const void *p, size_t size)
{
    const volatile uint8_t *b = p;
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= b[i];
    }
    return any == 0;
}

void ct_wipe(void *p, size_t size)
{
    if (size == 0) {
        return;
    }
    __builtin_memset(p, 0, size);
    __asm__ volatile("" : : "r"(p) : "memory");
}
