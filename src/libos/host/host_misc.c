/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Small questions to the host. Its answers about processors and used time are shown to the
 * application and decide nothing inside.
 */

#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/host/report.h"

void host_report_stats(const char *text, size_t size)
{
    _cleanup_bounce_ struct bounce b = bounce_take(size, 1);

    if (b.p != NULL) {
        size = MIN(size, b.size);
        host_copy_out(b.p, text, size);
        (void)host_call(HOSTCALL_report_stats, (uintptr_t)b.p, size, 0, 0, 0, 0);
    }
}

/* The host may fire early, late or never: timers look at the clock themselves. */
void host_set_timer(uint64_t deadline)
{
    (void)host_call(HOSTCALL_set_timer, deadline, 0, 0, 0, 0, 0);
}

int host_getaffinity(void *mask, size_t size)
{
    _cleanup_bounce_ struct bounce b = bounce_take(size, size);
    int64_t r;

    if (b.p == NULL) {
        return -ENOMEM;
    }
    r = host_count(host_call(HOSTCALL_getaffinity, (uintptr_t)b.p, size, 0, 0, 0, 0), size);
    if (r > 0) {
        host_copy_in(mask, b.p, (size_t)r);
    }
    return (int)r;
}

int host_getcpu(uint32_t *ret_cpu, uint32_t *ret_node)
{
    _cleanup_bounce_ struct bounce b = bounce_take(8, 8);
    uint32_t answer[2];
    int r;

    if (b.p == NULL) {
        return -ENOMEM;
    }
    r = host_status(host_call(HOSTCALL_getcpu, (uintptr_t)b.p, 0, 0, 0, 0, 0));
    if (r == 0) {
        host_copy_in(answer, b.p, sizeof(answer));
        *ret_cpu = answer[0];
        *ret_node = answer[1];
    }
    return r;
}

/* struct rusage: user and system time as timevals, then maxrss and others as longs. */
struct kernel_rusage {
    int64_t utime_sec, utime_usec, stime_sec, stime_usec;
    int64_t maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv,
        nsignals, nvcsw, nivcsw;
};
_Static_assert(sizeof(struct kernel_rusage) == 144, "struct rusage of x86-64");

static uint64_t timeval_ns(int64_t sec, int64_t usec)
{
    if (sec < 0 || sec > INT64_MAX / 2000000000 || usec < 0 || usec >= 1000000) {
        return 0;
    }
    return (uint64_t)sec * 1000000000u + (uint64_t)usec * 1000u;
}

static uint64_t not_negative(int64_t v)
{
    return v < 0 ? 0 : (uint64_t)v;
}

void host_times(int who, uint64_t ret[static 7])
{
    _cleanup_bounce_ struct bounce b =
        bounce_take(sizeof(struct kernel_rusage), sizeof(struct kernel_rusage));
    struct kernel_rusage u;

    for (int i = 0; i < 7; i++) {
        ret[i] = 0;
    }
    if (b.p == NULL ||
        host_call(HOSTCALL_times, (uintptr_t)b.p, (uint64_t)(int64_t)who, 0, 0, 0, 0) != 0) {
        return;
    }
    host_copy_in(&u, b.p, sizeof(u));
    ret[0] = timeval_ns(u.utime_sec, u.utime_usec);
    ret[1] = timeval_ns(u.stime_sec, u.stime_usec);
    ret[2] = not_negative(u.maxrss);
    ret[3] = not_negative(u.minflt);
    ret[4] = not_negative(u.majflt);
    ret[5] = not_negative(u.nvcsw);
    ret[6] = not_negative(u.nivcsw);
}
