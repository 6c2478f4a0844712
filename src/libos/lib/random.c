/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/lib/random.h"

#include "libos/libos.h"

/* Intel recommends ten tries; the generator is shared between cores, so be generous. */
#define RDRAND_TRIES 1000

uint64_t random_u64(void)
{
    for (int i = 0; i < RDRAND_TRIES; i++) {
        uint64_t v;
        uint8_t ok;

        __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(v), "=qm"(ok) : : "cc");
        if (ok != 0) {
            return v;
        }
        __asm__ volatile("pause");
    }
    libos_panic("RDRAND gives no random numbers");
}

void random_bytes(void *dst, size_t size)
{
    uint8_t *p = dst;

    while (size > 0) {
        const uint64_t v = random_u64();
        const size_t n = MIN(size, sizeof(v));

        __builtin_memcpy(p, &v, n);
        p += n;
        size -= n;
    }
}
