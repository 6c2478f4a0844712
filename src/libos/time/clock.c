/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The clock is a line: ns = base_ns + (tsc - base_tsc) * mult >> SHIFT. Every RESYNC_NS the host is
 * asked again and a new line starts where the old one stands, tilted so that it meets the host's
 * clock one interval later. What the host may lie about, and what stops it:
 *
 *  - time going back: a new line never starts below the old one; it only gets a smaller slope.
 *  - a wild rate: the slope is kept within SLEW_MAX of the rate measured first.
 *  - a jump forward (a suspended machine, or a lie): taken over. A host can stop a machine for any
 *    time, so this gives it nothing new.
 *
 * Before the first calibration interval is over the rate is not known well; until then every
 * reading asks the host.
 */

#include "libos/time/clock.h"

#include <linux/time.h>

#include "core/overflow.h"
#include "libos/host/host.h"
#include "libos/lib/sync.h"
#include "libos/lib/uapi.h"
#include "libos/proc/wait.h"
#include "libos/time/vdso_time.h"

#define SHIFT           VDSO_TIME_SHIFT
#define CALIBRATE_NS    (20 * 1000000ull)
#define RESYNC_FIRST_NS (200 * 1000000ull)
#define RESYNC_MAX_NS   (8 * NS_PER_S)
#define JUMP_NS         (50 * 1000000ull)
#define SLEW_SHIFT      11 /* 1/2048, about 500 ppm */

/* Guarded by a sequence count: odd while a writer is at it. Readers take a copy and check. */
struct line {
    uint64_t base_tsc;
    uint64_t base_ns;
    uint64_t mult;
    uint64_t resync_at; /* monotonic ns from which the host is to be asked again; 0: always */
    int64_t real_offset;
    int64_t boot_offset;
};

static struct {
    uint32_t sequence;
    struct spinlock lock;
    struct line line;
    uint64_t first_tsc;
    uint64_t first_ns;
    uint64_t rate; /* mult as measured over the longest time */
    uint64_t interval;
    void (*receiver)(const struct vdso_time *);
    uint64_t last; /* highest monotonic value given out before calibration */
} g_clock;

static inline uint64_t rdtsc(void)
{
    uint32_t a;
    uint32_t d;

    /* LFENCE: the reading must not move before an earlier load that another thread published. */
    __asm__ volatile("lfence; rdtsc" : "=a"(a), "=d"(d) : : "memory");
    return (uint64_t)d << 32 | a;
}

static inline uint64_t scale(uint64_t ticks, uint64_t mult)
{
    return (uint64_t)(((unsigned __int128)ticks * mult) >> SHIFT);
}

static void read_line(struct line *ret)
{
    uint32_t before;

    do {
        before = __atomic_load_n(&g_clock.sequence, __ATOMIC_ACQUIRE);
        *ret = g_clock.line;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((before & 1) != 0 || before != __atomic_load_n(&g_clock.sequence, __ATOMIC_RELAXED));
}

static void pass_on(void)
{
    const struct line *l = &g_clock.line;
    const struct vdso_time t = {
        .sequence = g_clock.sequence,
        .base_tsc = l->base_tsc,
        .base_ns = l->base_ns,
        .mult = l->mult,
        .resync_at = l->resync_at,
        .real_offset = l->real_offset,
        .boot_offset = l->boot_offset,
    };

    if (g_clock.receiver != NULL) {
        g_clock.receiver(&t);
    }
}

void clock_on_change(void (*receiver)(const struct vdso_time *))
{
    spin_lock(&g_clock.lock);
    g_clock.receiver = receiver;
    pass_on();
    spin_unlock(&g_clock.lock);
}

static void write_line(const struct line *l)
{
    __atomic_store_n(&g_clock.sequence, g_clock.sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    g_clock.line = *l;
    __atomic_store_n(&g_clock.sequence, g_clock.sequence + 1, __ATOMIC_RELEASE);
    pass_on();
}

/* The host's monotonic time and the TSC that belongs to it, halfway through the call. */
static uint64_t sample(uint64_t *ret_tsc)
{
    const uint64_t before = rdtsc();
    const uint64_t ns = host_clock(CLOCK_MONOTONIC);
    const uint64_t after = rdtsc();

    *ret_tsc = before + (after - before) / 2;
    return ns;
}

static uint64_t measure_rate(uint64_t tsc, uint64_t ns)
{
    const uint64_t ticks = tsc - g_clock.first_tsc;

    if (ticks == 0 || ns <= g_clock.first_ns) {
        return 0;
    }
    return (uint64_t)(((unsigned __int128)(ns - g_clock.first_ns) << SHIFT) / ticks);
}

static void resync(void)
{
    struct line l = g_clock.line;
    uint64_t tsc;
    const uint64_t host = sample(&tsc);
    const uint64_t own =
        l.mult == 0 ? MAX(host, g_clock.last) : l.base_ns + scale(tsc - l.base_tsc, l.mult);

    l.real_offset = (int64_t)(host_clock(CLOCK_REALTIME) - host);
    l.boot_offset = (int64_t)(host_clock(CLOCK_BOOTTIME) - host);
    if (host - g_clock.first_ns < CALIBRATE_NS || host < g_clock.first_ns) {
        g_clock.last = own;
        l.base_tsc = tsc;
        l.base_ns = own;
        l.resync_at = 0;
        write_line(&l);
        return;
    }
    if (l.mult == 0 || g_clock.interval < RESYNC_MAX_NS) {
        g_clock.rate = measure_rate(tsc, host);
    }
    l.base_tsc = tsc;
    l.base_ns = own;
    l.mult = g_clock.rate;
    if (host > own + JUMP_NS) {
        l.base_ns = host;
    } else {
        const uint64_t limit = l.mult >> SLEW_SHIFT;
        const uint64_t apart = host > own ? host - own : own - host;
        const uint64_t slew = MIN(limit, (uint64_t)(((unsigned __int128)l.mult * apart) /
                                                    MAX(g_clock.interval, RESYNC_FIRST_NS)));

        l.mult = host > own ? l.mult + slew : l.mult - slew;
    }
    g_clock.interval = MIN(MAX(g_clock.interval * 2, RESYNC_FIRST_NS), RESYNC_MAX_NS);
    l.resync_at = l.base_ns + g_clock.interval;
    write_line(&l);
}

void clock_init(uint64_t tsc_hz_hint)
{
    g_clock.first_ns = sample(&g_clock.first_tsc);
    g_clock.last = g_clock.first_ns;
    g_clock.line = (struct line){.base_tsc = g_clock.first_tsc, .base_ns = g_clock.first_ns};
    (void)tsc_hz_hint; /* the host's word alone is not used: the rate is measured */
    spin_lock(&g_clock.lock);
    resync();
    spin_unlock(&g_clock.lock);
}

/* Now on the line, asking the host first when it is due. */
static uint64_t now(struct line *ret_line)
{
    uint64_t ns;

    read_line(ret_line);
    ns = ret_line->base_ns + scale(rdtsc() - ret_line->base_tsc, ret_line->mult);
    if (ret_line->resync_at != 0 && ns < ret_line->resync_at) {
        return ns;
    }
    spin_lock(&g_clock.lock);
    if (g_clock.line.resync_at == ret_line->resync_at) {
        resync();
    }
    spin_unlock(&g_clock.lock);
    read_line(ret_line);
    if (ret_line->mult == 0) {
        return ret_line->base_ns;
    }
    return ret_line->base_ns + scale(rdtsc() - ret_line->base_tsc, ret_line->mult);
}

uint64_t clock_monotonic(void)
{
    struct line l;

    return now(&l);
}

uint64_t clock_realtime(void)
{
    struct line l;
    const uint64_t ns = now(&l);

    return ns + (uint64_t)l.real_offset;
}

uint64_t clock_boottime(void)
{
    struct line l;
    const uint64_t ns = now(&l);

    return ns + (uint64_t)l.boot_offset;
}

int clock_read(int id, uint64_t *ret_ns)
{
    switch (id) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE: *ret_ns = clock_monotonic(); return 0;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM: *ret_ns = clock_realtime(); return 0;
    case CLOCK_TAI: *ret_ns = host_clock(CLOCK_TAI); return 0;
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: *ret_ns = clock_boottime(); return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID: *ret_ns = host_clock(id); return 0;
    default:
        /* pthread_getcpuclockid encodes a thread as a negative id; only the caller's own time is
         * known to the enclave without asking about another host thread. */
        if (id < 0) {
            *ret_ns =
                host_clock((id & 4) != 0 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID);
            return 0;
        }
        return -EINVAL;
    }
}

int clock_deadline(int id, bool absolute, uint64_t ns, uint64_t *ret_deadline)
{
    uint64_t base;
    uint64_t deadline;
    int r;

    if (!absolute) {
        base = clock_monotonic();
        *ret_deadline = add_overflow(base, ns, &deadline) ? WAIT_FOREVER - 1 : deadline;
        return 0;
    }
    r = clock_read(id, &base);
    if (r < 0) {
        return r;
    }
    /* How far away it is on its own clock, laid onto the monotonic one. */
    ns = ns > base ? ns - base : 0;
    base = clock_monotonic();
    *ret_deadline = add_overflow(base, ns, &deadline) ? WAIT_FOREVER - 1 : deadline;
    return 0;
}

uint64_t clock_tsc_hz(void)
{
    const uint64_t rate = __atomic_load_n(&g_clock.rate, __ATOMIC_RELAXED);

    return rate == 0 ? 0 : (uint64_t)(((unsigned __int128)NS_PER_S << SHIFT) / rate);
}

uint64_t clock_now(int clock_id)
{
    uint64_t ns;

    return clock_read(clock_id, &ns) < 0 ? 0 : ns;
}

void clock_timestamp(struct timestamp *ret)
{
    const uint64_t ns = clock_realtime();

    ret->sec = (int64_t)(ns / NS_PER_S);
    ret->nsec = (uint32_t)(ns % NS_PER_S);
}
