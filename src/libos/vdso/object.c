/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/*
 * The vDSO: a shared object of its own, linked apart, mapped into every program. It reads time from
 * the page in front of it and otherwise enters the library OS as a rewritten system call does.
 * It runs as part of the application: on its stack, with its FS, and may use no library.
 */

#include "libos/time/vdso_time.h"

#include <asm/unistd_64.h>
#include <linux/time.h>

#define EXPORT __attribute__((visibility("default")))

#define NS_PER_S 1000000000ull

struct kernel_timespec64 {
    int64_t sec;
    int64_t nsec;
};

struct kernel_timeval64 {
    int64_t sec;
    int64_t usec;
};

/* The page before this object; the linker script puts the symbol there. */
extern const volatile struct vdso_time vdso_data __attribute__((visibility("hidden")));

EXPORT int __vdso_clock_gettime(int id, struct kernel_timespec64 *ts);
EXPORT int __vdso_clock_getres(int id, struct kernel_timespec64 *ts);
EXPORT int __vdso_gettimeofday(struct kernel_timeval64 *tv, void *tz);
EXPORT int64_t __vdso_time(int64_t *t);
EXPORT int __vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused);

/* GS:16 holds the library OS's entry (boot/thread_page.h); RCX says where to go on. */
static inline int64_t call(int64_t number, const volatile void *a, const volatile void *b,
                           const volatile void *c)
{
    int64_t r;

    __asm__ volatile("lea 1f(%%rip), %%rcx\n"
                     "jmp *%%gs:16\n"
                     "1:"
                     : "=a"(r)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return r;
}

static inline uint64_t rdtsc(void)
{
    uint32_t a;
    uint32_t d;

    __asm__ volatile("lfence; rdtsc" : "=a"(a), "=d"(d) : : "memory");
    return (uint64_t)d << 32 | a;
}

/* Monotonic time and the offset the clock wants. False: the library OS has to be asked. */
static inline bool read_time(int id, uint64_t *ret)
{
    const volatile struct vdso_time *v = &vdso_data;
    uint32_t before;
    uint64_t ns;
    uint64_t resync;
    int64_t offset;

    do {
        before = __atomic_load_n(&v->sequence, __ATOMIC_ACQUIRE);
        ns = v->base_ns +
             (uint64_t)(((unsigned __int128)(rdtsc() - v->base_tsc) * v->mult) >> VDSO_TIME_SHIFT);
        resync = v->resync_at;
        offset = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ? v->real_offset
                 : id == CLOCK_BOOTTIME                              ? v->boot_offset
                                                                     : 0;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((before & 1) != 0 || before != __atomic_load_n(&v->sequence, __ATOMIC_RELAXED));
    if (resync == 0 || ns >= resync) {
        return false;
    }
    *ret = ns + (uint64_t)offset;
    return true;
}

int __vdso_clock_gettime(int id, struct kernel_timespec64 *ts)
{
    uint64_t ns;

    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
        if (read_time(id, &ns)) {
            ts->sec = (int64_t)(ns / NS_PER_S);
            ts->nsec = (int64_t)(ns % NS_PER_S);
            return 0;
        }
        break;
    default: break;
    }
    return (int)call(__NR_clock_gettime, (void *)(int64_t)id, ts, NULL);
}

int __vdso_clock_getres(int id, struct kernel_timespec64 *ts)
{
    return (int)call(__NR_clock_getres, (void *)(int64_t)id, ts, NULL);
}

int __vdso_gettimeofday(struct kernel_timeval64 *tv, void *tz)
{
    uint64_t ns;

    if (tv == NULL || tz != NULL || !read_time(CLOCK_REALTIME, &ns)) {
        return (int)call(__NR_gettimeofday, tv, tz, NULL);
    }
    tv->sec = (int64_t)(ns / NS_PER_S);
    tv->usec = (int64_t)(ns % NS_PER_S / 1000);
    return 0;
}

int64_t __vdso_time(int64_t *t)
{
    uint64_t ns;

    if (!read_time(CLOCK_REALTIME, &ns)) {
        return call(__NR_time, t, NULL, NULL);
    }
    if (t != NULL) {
        *t = (int64_t)(ns / NS_PER_S);
    }
    return (int64_t)(ns / NS_PER_S);
}

int __vdso_getcpu(uint32_t *cpu, uint32_t *node, void *unused)
{
    return (int)call(__NR_getcpu, cpu, node, NULL);
}

/* The names without the prefix, as Linux has them. */
#define ALIAS(name)                                                          \
    EXPORT extern __typeof__(__vdso_##name) vdso_alias_##name __asm__(#name) \
        __attribute__((weak, alias("__vdso_" #name)))
ALIAS(clock_gettime);
ALIAS(clock_getres);
ALIAS(gettimeofday);
ALIAS(time);
ALIAS(getcpu);
