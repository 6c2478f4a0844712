/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Time of the host. It may claim any time at all; what it cannot do is turn a clock back (an
 * expired certificate valid again, a timeout that never comes): each clock returns the highest
 * value it ever gave when the host offers less. A negative answer counts as no answer.
 */

#include <linux/time.h>

#include "libos/host/host.h"
#include "libos/host/host_mem.h"

#define CLOCKS 16

uint64_t host_clock(int clock_id)
{
    static uint64_t g_last[CLOCKS];
    int64_t r;

    if (clock_id < 0 || clock_id >= CLOCKS) {
        clock_id = CLOCK_MONOTONIC;
    }
    r = host_call(HOSTCALL_clock_gettime, (uint64_t)clock_id, 0, 0, 0, 0, 0);
    uint64_t now = r < 0 ? 0 : (uint64_t)r;
    uint64_t last = __atomic_load_n(&g_last[clock_id], __ATOMIC_RELAXED);

    while (now > last) {
        if (__atomic_compare_exchange_n(&g_last[clock_id], &last, now, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            return now;
        }
    }
    return last;
}
