/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Interval timers (setitimer, alarm) and POSIX timers, both over time/timer.h. */

#include <linux/signal.h>
#include <linux/time.h>

#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/proc/thread_list.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"
#include "libos/sys/timer.h"
#include "libos/time/clock.h"
#include "libos/time/timer.h"

#define POSIX_TIMERS_MAX 1024

struct kernel_timeval64 {
    int64_t sec;
    int64_t usec;
};

struct itimerval64 {
    struct kernel_timeval64 interval;
    struct kernel_timeval64 value;
};

/* --- ITIMER_REAL --- */

static void itimer_fire(struct ktimer *t, uint64_t expirations)
{
    (void)signal_send_process(process_first(), SIGALRM, NULL); /* standard: does not queue up */
}

static struct ktimer g_itimer = {.node = {&g_itimer.node, &g_itimer.node}, .fire = itimer_fire};

static int timeval_to_ns(const struct kernel_timeval64 *tv, uint64_t *ret)
{
    const struct kernel_timespec64 ts = {.sec = tv->sec, .nsec = tv->usec * 1000};

    if (tv->usec < 0 || tv->usec >= 1000000) {
        return -EINVAL;
    }
    return timespec_to_ns(&ts, ret);
}

static void itimer_read(struct itimerval64 *ret)
{
    uint64_t left;
    uint64_t period;

    ktimer_get(&g_itimer, &left, &period);
    left = (left + 999) / 1000;
    *ret = (struct itimerval64){
        .interval = {.sec = (int64_t)(period / NS_PER_S),
                     .usec = (int64_t)(period % NS_PER_S / 1000)},
        .value = {.sec = (int64_t)(left / 1000000), .usec = (int64_t)(left % 1000000)},
    };
}

static void itimer_set(uint64_t value, uint64_t interval)
{
    if (value == 0) {
        ktimer_stop(&g_itimer);
    } else {
        ktimer_start(&g_itimer, clock_monotonic() + value, interval);
    }
}

SYSCALL_3(setitimer, int, which, uint64_t, user_new, uint64_t, user_old)
{
    struct itimerval64 fresh = {0};
    struct itimerval64 old;
    uint64_t value;
    uint64_t interval;

    if (which != ITIMER_REAL) {
        /* CPU-time timers: the host accounts CPU time, and what it says cannot drive signals. */
        return which == ITIMER_VIRTUAL || which == ITIMER_PROF ? -EOPNOTSUPP : -EINVAL;
    }
    if (user_new != 0 && user_get(&fresh, user_new) < 0) {
        return -EFAULT;
    }
    if (timeval_to_ns(&fresh.value, &value) < 0 || timeval_to_ns(&fresh.interval, &interval) < 0) {
        return -EINVAL;
    }
    itimer_read(&old);
    itimer_set(value, interval);
    return user_old != 0 ? user_put(user_old, &old) : 0;
}

SYSCALL_2(getitimer, int, which, uint64_t, user_value)
{
    struct itimerval64 v = {0};

    if (which == ITIMER_REAL) {
        itimer_read(&v);
    } else if (which != ITIMER_VIRTUAL && which != ITIMER_PROF) {
        return -EINVAL;
    }
    return user_put(user_value, &v);
}

SYSCALL_1(alarm, uint32_t, seconds)
{
    struct itimerval64 old;

    itimer_read(&old);
    itimer_set((uint64_t)seconds * NS_PER_S, 0);
    /* A running alarm never reads 0. */
    return old.value.sec + (old.value.usec >= 500000 || (old.value.sec == 0 && old.value.usec > 0));
}

/* --- POSIX timers --- */

struct posix_timer {
    struct ktimer timer;
    int32_t clock;
    int32_t notify; /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID */
    int32_t signo;
    int32_t tid;
    uint64_t value;
    int32_t id;
    int32_t overrun; /* expirations beyond the one signalled last */
};

/* struct sigevent of the ABI, as far as the kernel reads it. */
struct sigevent64 {
    uint64_t value;
    int32_t signo;
    int32_t notify;
    int32_t tid;
    uint8_t pad[44];
};
_Static_assert(sizeof(struct sigevent64) == 64, "struct sigevent");

static struct mutex g_posix_lock;
static struct posix_timer *g_posix[POSIX_TIMERS_MAX];

static void posix_fire(struct ktimer *k, uint64_t expirations)
{
    struct posix_timer *t = container_of(k, struct posix_timer, timer);
    struct siginfo_kernel info = {.signo = t->signo, .code = SI_TIMER};
    struct thread *target = NULL;

    if (t->notify == SIGEV_NONE) {
        t->overrun = (int32_t)MIN(expirations - 1, (uint64_t)INT32_MAX);
        return;
    }
    if (t->notify == SIGEV_THREAD_ID) {
        target = thread_find(process_current(), t->tid);
        if (target == NULL) {
            return;
        }
    }
    if (!signal_timer_pending(process_current(), target, t->id, expirations, &t->overrun)) {
        t->overrun = (int32_t)MIN(expirations - 1, (uint64_t)INT32_MAX);
        info.timer.id = t->id;
        info.timer.overrun = t->overrun;
        info.timer.value = t->value;
        /* A full queue is one more overrun. */
        (void)(target != NULL ? signal_send_thread(target, t->signo, &info)
                              : signal_send_process(process_current(), t->signo, &info));
    }
    if (target != NULL) {
        thread_put(target);
    }
}

static bool clock_usable(int id)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: return true;
    default: return false;
    }
}

SYSCALL_3(timer_create, int, id, uint64_t, user_event, uint64_t, user_timer)
{
    struct sigevent64 ev = {.notify = SIGEV_SIGNAL, .signo = SIGALRM};
    struct posix_timer *t;
    int32_t slot;
    int r = -EAGAIN;

    if (!clock_usable(id)) {
        return id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID || id < 0
                   ? -EOPNOTSUPP
                   : -EINVAL;
    }
    if (user_event != 0 && user_get(&ev, user_event) < 0) {
        return -EFAULT;
    }
    if ((ev.notify != SIGEV_SIGNAL && ev.notify != SIGEV_NONE && ev.notify != SIGEV_THREAD_ID) ||
        (ev.notify != SIGEV_NONE && (ev.signo < 1 || ev.signo > SIGNAL_COUNT))) {
        return -EINVAL;
    }
    t = kzalloc(sizeof(*t));
    if (t == NULL) {
        return -ENOMEM;
    }
    ktimer_init(&t->timer, posix_fire);
    t->clock = id;
    t->notify = ev.notify;
    t->signo = ev.signo;
    t->tid = ev.tid;
    mutex_lock(&g_posix_lock);
    for (slot = 0; slot < POSIX_TIMERS_MAX && r < 0; slot++) {
        if (g_posix[slot] == NULL) {
            t->id = slot;
            t->value = user_event != 0 ? ev.value : (uint64_t)slot;
            r = user_put(user_timer, &t->id);
            if (r == 0) {
                g_posix[slot] = t;
            }
            break;
        }
    }
    mutex_unlock(&g_posix_lock);
    if (r < 0) {
        kfree(t);
    }
    return r;
}

/* Caller holds g_posix_lock. */
static struct posix_timer *posix_get(int32_t id)
{
    return id >= 0 && id < POSIX_TIMERS_MAX ? g_posix[id] : NULL;
}

static void posix_read(struct posix_timer *t, struct kernel_timespec64 ret[static 2])
{
    uint64_t left;
    uint64_t period;

    ktimer_get(&t->timer, &left, &period);
    ret[0] = ns_to_timespec(period);
    ret[1] = ns_to_timespec(left);
}

SYSCALL_4(timer_settime, int32_t, id, int, flags, uint64_t, user_new, uint64_t, user_old)
{
    struct kernel_timespec64 fresh[2]; /* interval, value */
    struct kernel_timespec64 old[2];
    struct posix_timer *t;
    uint64_t interval;
    uint64_t deadline;
    uint64_t value;
    int r = 0;

    if (user_new == 0) {
        return -EINVAL;
    }
    if (user_get(&fresh, user_new) < 0) {
        return -EFAULT;
    }
    if (timespec_to_ns(&fresh[0], &interval) < 0 || timespec_to_ns(&fresh[1], &value) < 0) {
        return -EINVAL;
    }
    mutex_lock(&g_posix_lock);
    t = posix_get(id);
    if (t == NULL) {
        r = -EINVAL;
    } else {
        posix_read(t, old);
        t->overrun = 0;
        if (value == 0) {
            ktimer_stop(&t->timer);
        } else {
            r = clock_deadline(t->clock, (flags & TIMER_ABSTIME) != 0, value, &deadline);
            if (r == 0) {
                ktimer_start(&t->timer, deadline, interval);
            }
        }
    }
    mutex_unlock(&g_posix_lock);
    return r == 0 && user_old != 0 ? user_put(user_old, &old) : r;
}

SYSCALL_2(timer_gettime, int32_t, id, uint64_t, user_value)
{
    struct kernel_timespec64 v[2];
    struct posix_timer *t;

    mutex_lock(&g_posix_lock);
    t = posix_get(id);
    if (t != NULL) {
        posix_read(t, v);
    }
    mutex_unlock(&g_posix_lock);
    return t == NULL ? -EINVAL : user_put(user_value, &v);
}

SYSCALL_1(timer_getoverrun, int32_t, id)
{
    struct posix_timer *t;
    int64_t r = -EINVAL;

    mutex_lock(&g_posix_lock);
    t = posix_get(id);
    if (t != NULL) {
        r = t->overrun;
    }
    mutex_unlock(&g_posix_lock);
    return r;
}

SYSCALL_1(timer_delete, int32_t, id)
{
    struct posix_timer *t;

    mutex_lock(&g_posix_lock);
    t = posix_get(id);
    if (t != NULL) {
        g_posix[id] = NULL;
    }
    mutex_unlock(&g_posix_lock);
    if (t == NULL) {
        return -EINVAL;
    }
    ktimer_stop(&t->timer);
    kfree(t);
    return 0;
}

void timer_calls_after_fork(void)
{
    ktimer_stop(&g_itimer);
    for (size_t i = 0; i < POSIX_TIMERS_MAX; i++) {
        if (g_posix[i] != NULL) {
            ktimer_stop(&g_posix[i]->timer);
            kfree(g_posix[i]);
            g_posix[i] = NULL;
        }
    }
}
