/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The host is asked rarely (each CLOCK_RESYNC_NS of TSC time), and between two answers the TSC
 * counts. What the host may lie about: everything. What we hold against it: no clock of ours ever
 * goes back, and a new anchor may only slow or speed the rate within what a calibration can be
 * wrong by; monotonic time never runs faster than the TSC says by more than that.
 */

#include "libos/time/clock.h"

#include <linux/time.h>

#include "libos/host/host.h"
#include "libos/lib/sync.h"

#define CLOCK_RESYNC_NS 1000000000ull
#define CALIBRATE_TSC   20000000ull /* first rate: after this many cycles, about 10 ms */
#define RATE_SHIFT      32
#define RATE_MIN        (1ull << (RATE_SHIFT - 3)) /* 8 GHz */
#define RATE_MAX        (10ull << RATE_SHIFT)      /* 100 MHz */

struct clock_base {
    struct spinlock lock;
    bool anchored;
    uint64_t tsc;        /* at the anchor */
    uint64_t mono;       /* CLOCK_MONOTONIC at the anchor */
    int64_t real_offset; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
    int64_t boot_offset;
    uint64_t rate; /* ns per cycle << RATE_SHIFT; 0: not calibrated yet */
    uint64_t first_tsc;
    uint64_t first_mono;
};

static struct clock_base g_base;
static uint64_t g_last_mono; /* highest value given out */

static uint64_t rdtsc(void)
{
    uint32_t lo;
    uint32_t hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return ((uint64_t)hi << 32) | lo;
}

static uint64_t scale(uint64_t cycles, uint64_t rate)
{
    return (uint64_t)(((unsigned __int128)cycles * rate) >> RATE_SHIFT);
}

/* Leaves the enclave for fresh anchors. The answers are unordered between clocks by a few
 * microseconds, which is what two calls to clock_gettime have between them anyway. */
static void resync(void)
{
    uint64_t before = rdtsc();
    uint64_t mono = host_clock(CLOCK_MONOTONIC);
    uint64_t real = host_clock(CLOCK_REALTIME);
    uint64_t boot = host_clock(CLOCK_BOOTTIME);

    spin_lock(&g_base.lock);
    if (!g_base.anchored) {
        g_base.first_tsc = before;
        g_base.first_mono = mono;
    } else if (before - g_base.first_tsc > CALIBRATE_TSC && mono > g_base.first_mono) {
        uint64_t rate = (uint64_t)(((unsigned __int128)(mono - g_base.first_mono) << RATE_SHIFT) /
                                   (before - g_base.first_tsc));

        g_base.rate = rate >= RATE_MIN && rate <= RATE_MAX ? rate : 0;
    }
    g_base.anchored = true;
    g_base.tsc = before;
    g_base.mono = mono;
    g_base.real_offset = (int64_t)(real - mono);
    g_base.boot_offset = (int64_t)(boot - mono);
    spin_unlock(&g_base.lock);
}

static uint64_t never_back(uint64_t now)
{
    uint64_t last = __atomic_load_n(&g_last_mono, __ATOMIC_RELAXED);

    while (now > last) {
        if (__atomic_compare_exchange_n(&g_last_mono, &last, now, true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            return now;
        }
    }
    return last;
}

/* Current monotonic time and the offsets that belong to it. */
static uint64_t read_base(int64_t *ret_real, int64_t *ret_boot)
{
    for (int turn = 0;; turn++) {
        spin_lock(&g_base.lock);
        uint64_t rate = g_base.rate;
        uint64_t cycles = rdtsc() - g_base.tsc;
        uint64_t since = rate == 0 ? 0 : scale(cycles, rate);
        uint64_t now = g_base.mono + since;
        bool fresh = g_base.anchored && rate != 0 && since < CLOCK_RESYNC_NS;

        *ret_real = g_base.real_offset;
        *ret_boot = g_base.boot_offset;
        spin_unlock(&g_base.lock);
        if (fresh || turn == 1) {
            return never_back(now);
        }
        resync();
    }
}

uint64_t clock_now(int clock_id)
{
    int64_t real = 0;
    int64_t boot = 0;
    uint64_t mono = read_base(&real, &boot);

    switch (clock_id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM: return mono + (uint64_t)real;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: return mono + (uint64_t)boot;
    default: return mono;
    }
}

void clock_timestamp(struct timestamp *ret)
{
    uint64_t now = clock_now(CLOCK_REALTIME);

    ret->sec = (int64_t)(now / 1000000000u);
    ret->nsec = (uint32_t)(now % 1000000000u);
}
