/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/ct.h"

bool ct_equal(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *pa = a;
    const volatile uint8_t *pb = b;
    uint8_t diff = 0;

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
