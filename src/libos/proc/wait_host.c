/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Sleeping in a host call of the caller's own: see proc/wait.h and the protocol in wait.c. */

#include "libos/host/host.h"
#include "libos/lib/uapi.h"
#include "libos/proc/park.h"
#include "libos/proc/thread.h"
#include "libos/proc/wait.h"
#include "libos/time/clock.h"

#define PARK_AWAKE 0u
#define PARK_POLL  2u

static bool must_go(const struct thread *t)
{
    return (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & WORK_EXIT) != 0;
}

/* -1: no limit. */
static int64_t time_left(uint64_t deadline)
{
    if (deadline == WAIT_FOREVER) {
        return -1;
    }
    uint64_t now = clock_monotonic();

    return deadline <= now ? 0 : (int64_t)MIN(deadline - now, (uint64_t)INT64_MAX);
}

int thread_wait_host(int (*sleep)(void *arg, int wake_fd, int64_t timeout_ns), void *arg,
                     uint64_t deadline)
{
    struct thread *t = thread_current();
    int r = 0;

    if (__atomic_exchange_n(&t->wake_token, 0, __ATOMIC_ACQUIRE) != 0) {
        return 0;
    }
    if (must_go(t) || thread_signal_pending()) {
        return -EINTR;
    }
    if (t->host_wake_fd < 0) {
        t->host_wake_fd = host_eventfd(0, O_NONBLOCK | O_CLOEXEC);
        if (t->host_wake_fd < 0) {
            return t->host_wake_fd;
        }
    }
    (void)park_begin(t);
    __atomic_store_n(&t->park_state, PARK_POLL, __ATOMIC_SEQ_CST);
    bool slept = __atomic_load_n(&t->wake_token, __ATOMIC_SEQ_CST) == 0;

    if (slept) {
        r = sleep(arg, t->host_wake_fd, time_left(deadline));
    }
    __atomic_store_n(&t->park_state, PARK_AWAKE, __ATOMIC_SEQ_CST);
    if (r > 0) {
        uint64_t drained; /* left readable it would wake us for ever */

        (void)!host_read(t->host_wake_fd, &drained, sizeof(drained));
        r = 0;
    }
    if (__atomic_exchange_n(&t->wake_token, 0, __ATOMIC_ACQUIRE) != 0) {
        return r;
    }
    park_take_host_signals();
    if (r < 0) {
        return r;
    }
    if (must_go(t) || thread_signal_pending()) {
        return -EINTR;
    }
    return time_left(deadline) == 0 ? -ETIMEDOUT : 0;
}
