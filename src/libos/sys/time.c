/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/resource.h>
#include <linux/time.h>
#include <linux/times.h>

#include "libos/host/host.h"
#include "libos/mm/user.h"
#include "libos/proc/thread.h"
#include "libos/sys/rusage.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define CLK_TCK           100u
#define COARSE_RESOLUTION (NS_PER_S / 250)

struct kernel_timeval64 {
    int64_t sec;
    int64_t usec;
};

static struct kernel_timeval64 ns_to_timeval(uint64_t ns)
{
    return (struct kernel_timeval64){.sec = (int64_t)(ns / NS_PER_S),
                                     .usec = (int64_t)(ns % NS_PER_S / 1000)};
}

SYSCALL_2(clock_gettime, int, id, uint64_t, user_ts)
{
    struct kernel_timespec64 ts;
    uint64_t ns;
    int r = clock_read(id, &ns);

    if (r < 0) {
        return r;
    }
    ts = ns_to_timespec(ns);
    return user_put(user_ts, &ts);
}

SYSCALL_2(clock_getres, int, id, uint64_t, user_ts)
{
    struct kernel_timespec64 ts = {.nsec = 1};
    uint64_t ns;
    int r = clock_read(id, &ns);

    if (r < 0) {
        return r;
    }
    if (id == CLOCK_REALTIME_COARSE || id == CLOCK_MONOTONIC_COARSE) {
        ts.nsec = COARSE_RESOLUTION;
    }
    return user_ts != 0 ? user_put(user_ts, &ts) : 0;
}

SYSCALL_2(gettimeofday, uint64_t, user_tv, uint64_t, user_tz)
{
    const struct kernel_timeval64 tv = ns_to_timeval(clock_realtime());
    const int32_t tz[2] = {0, 0};

    if (user_tv != 0 && user_put(user_tv, &tv) < 0) {
        return -EFAULT;
    }
    return user_tz != 0 ? user_put(user_tz, &tz) : 0;
}

SYSCALL_1(time, uint64_t, user_seconds)
{
    const int64_t seconds = (int64_t)(clock_realtime() / NS_PER_S);

    if (user_seconds != 0 && user_put(user_seconds, &seconds) < 0) {
        return -EFAULT;
    }
    return seconds;
}

/* Sleeps until the deadline; what is left goes to user_rem when a signal cut it short. */
static int64_t sleep_until(uint64_t deadline, uint64_t user_rem)
{
    int r;

    do {
        r = thread_wait(deadline);
    } while (r == 0);
    if (r == -ETIMEDOUT) {
        return 0;
    }
    if (user_rem != 0) {
        const uint64_t now = clock_monotonic();
        const struct kernel_timespec64 left = ns_to_timespec(deadline > now ? deadline - now : 0);

        if (user_put(user_rem, &left) < 0) {
            return -EFAULT;
        }
    }
    return -ERESTART_RESTARTBLOCK;
}

static int64_t do_sleep(int id, bool absolute, uint64_t user_req, uint64_t user_rem)
{
    struct kernel_timespec64 ts;
    uint64_t deadline;
    uint64_t ns;
    int r;

    if (user_get(&ts, user_req) < 0) {
        return -EFAULT;
    }
    r = timespec_to_ns(&ts, &ns);
    if (r == 0) {
        r = clock_deadline(id, absolute, ns, &deadline);
    }
    if (r < 0) {
        return r;
    }
    if (absolute) {
        const int64_t result = sleep_until(deadline, 0);

        return result == -ERESTART_RESTARTBLOCK ? -ERESTARTNOHAND : result;
    }
    return sleep_until(deadline, user_rem);
}

SYSCALL_2(nanosleep, uint64_t, user_req, uint64_t, user_rem)
{
    return do_sleep(CLOCK_MONOTONIC, /*absolute=*/false, user_req, user_rem);
}

/* 0, -EOPNOTSUPP: a clock one cannot sleep on, -EINVAL: none. */
static int sleepable(int id)
{
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
    case CLOCK_PROCESS_CPUTIME_ID: return -EOPNOTSUPP; /* the host's account: not to wait on */
    default: return id < 0 ? -EOPNOTSUPP : -EINVAL;    /* CLOCK_THREAD_CPUTIME_ID: as Linux */
    }
}

SYSCALL_4(clock_nanosleep, int, id, int, flags, uint64_t, user_req, uint64_t, user_rem)
{
    int r = sleepable(id);

    if (r < 0) {
        return r;
    }
    return do_sleep(id, (flags & TIMER_ABSTIME) != 0, user_req, user_rem);
}

enum { T_USER, T_SYSTEM, T_MAXRSS, T_MINFLT, T_MAJFLT, T_NVCSW, T_NIVCSW, T_COUNT };
_Static_assert(T_COUNT == 7, "host_times");

struct rusage64 {
    struct kernel_timeval64 utime;
    struct kernel_timeval64 stime;
    int64_t values[14]; /* maxrss ixrss idrss isrss minflt majflt nswap inblock oublock msgsnd
                           msgrcv nsignals nvcsw nivcsw */
};
_Static_assert(sizeof(struct rusage64) == 144, "struct rusage");

int rusage_put_times(uint64_t user_usage, uint64_t utime, uint64_t stime)
{
    const struct rusage64 usage = {.utime = ns_to_timeval(utime), .stime = ns_to_timeval(stime)};

    return user_put(user_usage, &usage);
}

SYSCALL_2(getrusage, int, who, uint64_t, user_usage)
{
    const struct process *p = process_current();
    struct rusage64 usage = {0};
    uint64_t t[T_COUNT];

    if (who == RUSAGE_CHILDREN) {
        return rusage_put_times(user_usage, p->child_utime, p->child_stime);
    }
    if (who != RUSAGE_SELF && who != 1 /* RUSAGE_THREAD */) {
        return -EINVAL;
    }
    host_times(who, t);
    usage.utime = ns_to_timeval(t[T_USER]);
    usage.stime = ns_to_timeval(t[T_SYSTEM]);
    usage.values[0] = (int64_t)t[T_MAXRSS];
    usage.values[4] = (int64_t)t[T_MINFLT];
    usage.values[5] = (int64_t)t[T_MAJFLT];
    usage.values[12] = (int64_t)t[T_NVCSW];
    usage.values[13] = (int64_t)t[T_NIVCSW];
    return user_put(user_usage, &usage);
}

SYSCALL_1(times, uint64_t, user_tms)
{
    const struct process *p = process_current();
    uint64_t t[T_COUNT];
    int64_t tms[4] = {0};

    host_times(RUSAGE_SELF, t);
    tms[0] = (int64_t)(t[T_USER] / (NS_PER_S / CLK_TCK));
    tms[1] = (int64_t)(t[T_SYSTEM] / (NS_PER_S / CLK_TCK));
    tms[2] = (int64_t)(p->child_utime / (NS_PER_S / CLK_TCK));
    tms[3] = (int64_t)(p->child_stime / (NS_PER_S / CLK_TCK));
    if (user_tms != 0 && user_put(user_tms, &tms) < 0) {
        return -EFAULT;
    }
    return (int64_t)(clock_boottime() / (NS_PER_S / CLK_TCK));
}
