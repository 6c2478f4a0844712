/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit/libos/fake_sealed.h"

#include <string.h>

#include "libos/fs/sealed/sealed_internal.h"

static uint64_t g_copies;
static uint64_t g_cut_at;
static uint64_t g_change_at;

void fake_sealed_cut_at(uint64_t n)
{
    g_copies = 0;
    g_cut_at = n;
    g_change_at = 0;
}

void fake_sealed_change_at(uint64_t n)
{
    fake_sealed_cut_at(0);
    g_change_at = n;
}

/* Faults half way, as a cut file does. */
size_t sealed_raw_copy(void *dst, const void *untrusted_src, size_t size)
{
    const uint64_t n = __atomic_add_fetch(&g_copies, 1, __ATOMIC_RELAXED);

    if (g_cut_at != 0 && n >= g_cut_at) {
        memcpy(dst, untrusted_src, size / 2);
        return size - size / 2;
    }
    memcpy(dst, untrusted_src, size);
    if (n == g_change_at) {
        ((uint8_t *)dst)[n * 2654435761u % size] ^= (uint8_t)(1u << n % 8);
    }
    return 0;
}
