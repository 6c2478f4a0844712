/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <linux/futex.h>

int64_t hostcall_thread_create(struct loader_thread *t, const uint64_t *a)
{
    if (!range_within(a[0], NACRE_PAGE_SIZE, t->loader->base, t->loader->base + ENCLAVE_SIZE) ||
        !is_page_aligned(a[0])) {
        return -EINVAL;
    }
    return threads_start(t->loader, a[0]);
}

int64_t hostcall_thread_exit(struct loader_thread *t, const uint64_t *a)
{
    t->end = THREAD_DONE;
    return 0;
}

int64_t hostcall_futex_wait(struct loader_thread *t, const uint64_t *a)
{
    const int64_t ns = (int64_t)a[2];
    const struct timespec ts = host_timespec(MAX(ns, (int64_t)0));

    return host_sleeping(t, SYS_futex, a[0], FUTEX_WAIT_PRIVATE, a[1], ns < 0 ? 0 : (uint64_t)&ts,
                         0, 0);
}

int64_t hostcall_futex_wake(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall3(SYS_futex, a[0], FUTEX_WAKE_PRIVATE, a[1]);
}

int64_t hostcall_thread_kick(struct loader_thread *t, const uint64_t *a)
{
    return threads_kick(t->loader, a[0]);
}

int64_t hostcall_yield(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall0(SYS_sched_yield);
}

int64_t hostcall_sleep(struct loader_thread *t, const uint64_t *a)
{
    const struct timespec ts = host_timespec((int64_t)MIN(a[0], (uint64_t)INT64_MAX));

    return host_sleeping(t, SYS_nanosleep, (uint64_t)&ts, 0, 0, 0, 0, 0);
}

int64_t hostcall_getcpu(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall3(SYS_getcpu, a[0], a[0] != 0 ? a[0] + sizeof(uint32_t) : 0, 0);
}

int64_t hostcall_getaffinity(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall3(SYS_sched_getaffinity, 0, a[1], a[0]);
}
