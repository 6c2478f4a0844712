/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

int64_t hostcall_clock_gettime(struct loader_thread *t, const uint64_t *a)
{
    struct timespec ts;

    /* Through the vDSO: no system call for the clocks that matter. */
    if (clock_gettime((clockid_t)a[0], &ts) < 0) {
        return -errno;
    }
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t hostcall_set_timer(struct loader_thread *t, const uint64_t *a)
{
    struct loader *l = t->loader;
    const struct itimerspec when = {.it_value = host_timespec((int64_t)(a[0] & INT64_MAX))};
    int r = 0;

    (void)pthread_mutex_lock(&l->lock);
    if (!l->have_timer) {
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};

        r = timer_create(CLOCK_MONOTONIC, &event, &l->timer) < 0 ? -errno : 0;
        l->have_timer = r == 0;
    }
    if (r == 0 && timer_settime(l->timer, TIMER_ABSTIME, &when, NULL) < 0) {
        r = -errno;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return r;
}

int64_t hostcall_times(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall2(SYS_getrusage, a[1], a[0]);
}
