/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The processor's XSAVE layout, standard format (CPUID leaf 0DH; SDM vol 1, 13.4). */

#include "softsgx/internal.h"

#include <cpuid.h>

#define XCOMPONENTS 63u

static struct {
    bool ready;
    uint64_t xcr0;
    uint32_t offset[XCOMPONENTS];
    uint32_t size[XCOMPONENTS];
} g_xstate;

static void load(void)
{
    uint32_t lo;
    uint32_t hi;

    if (g_xstate.ready) {
        return;
    }
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    g_xstate.xcr0 = (uint64_t)hi << 32 | lo;
    for (unsigned i = 2; i < XCOMPONENTS; i++) {
        uint32_t a;
        uint32_t b;
        uint32_t c;
        uint32_t d;

        if ((g_xstate.xcr0 & (1ull << i)) != 0) {
            __cpuid_count(0xd, i, a, b, c, d);
            g_xstate.size[i] = a;
            g_xstate.offset[i] = b;
        }
    }
    g_xstate.ready = true;
}

uint64_t soft_xcr0(void)
{
    load();
    return g_xstate.xcr0;
}

void soft_xstate_component(unsigned i, uint32_t *ret_offset, uint32_t *ret_size)
{
    *ret_offset = g_xstate.offset[i];
    *ret_size = g_xstate.size[i];
}

uint32_t soft_xsave_size(uint64_t xfrm)
{
    uint32_t size = 512 + 64;

    load();
    for (unsigned i = 2; i < XCOMPONENTS; i++) {
        if ((xfrm & (1ull << i)) != 0 && g_xstate.offset[i] + g_xstate.size[i] > size) {
            size = g_xstate.offset[i] + g_xstate.size[i];
        }
    }
    return size;
}
