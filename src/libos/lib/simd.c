/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/lib/simd.h"

/* x87, SSE, AVX, AVX-512: everything XFRM can allow but PKRU, which SIMD code does not touch. */
#define SIMD_COMPONENTS 0xe7u

void simd_begin(struct simd_state *s)
{
    /* XSAVE reads the header; it must not hold stray bits. */
    __builtin_memset(s->area + 512, 0, 64);
    __asm__ volatile("xsave64 %0" : "+m"(s->area) : "a"(SIMD_COMPONENTS), "d"(0) : "memory");
    __asm__ volatile("vzeroupper");
}

void simd_end(struct simd_state *s)
{
    __asm__ volatile("xrstor64 %0" : : "m"(s->area), "a"(SIMD_COMPONENTS), "d"(0) : "memory");
}
