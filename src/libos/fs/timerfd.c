/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * timerfd(2) without a timer thread: what is due follows from the clock when somebody looks, and
 * whoever waits includes the next expiry in his deadline (poll_until).
 */

#include <linux/time.h>
#include <linux/timerfd.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/lib/strbuf.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

struct timerfd {
    struct mutex lock;
    struct waitq waiters; /* woken when the timer is set anew */
    int clock;
    uint64_t next;     /* of `clock`, ns; 0: disarmed */
    uint64_t interval; /* 0: once */
    uint64_t expired;  /* counted and not yet read */
    int settime_flags;
};

struct itimerspec64 {
    struct kernel_timespec64 interval;
    struct kernel_timespec64 value;
};

/* Counts what came due. Under the lock. */
static void catch_up(struct timerfd *t)
{
    if (t->next == 0) {
        return;
    }
    uint64_t now = clock_now(t->clock);

    if (now < t->next) {
        return;
    }
    if (t->interval == 0) {
        t->expired++;
        t->next = 0;
        return;
    }
    uint64_t times = (now - t->next) / t->interval + 1;

    t->expired += times;
    t->next += times * t->interval;
}

/* The monotonic moment of the next expiry. */
static uint64_t deadline_of(const struct timerfd *t)
{
    uint64_t now = clock_now(t->clock);

    if (t->next == 0) {
        return WAIT_FOREVER;
    }
    return clock_monotonic() + (t->next > now ? t->next - now : 0);
}

static uint32_t timerfd_poll(struct file *f, struct poll_table *pt)
{
    struct timerfd *t = f->priv;
    uint32_t ev = 0;

    poll_queue(pt, &t->waiters);
    mutex_lock(&t->lock);
    catch_up(t);
    if (t->expired > 0) {
        ev = EV_READ;
    }
    if (t->next != 0) {
        poll_until(pt, deadline_of(t));
    }
    mutex_unlock(&t->lock);
    return ev;
}

static int64_t timerfd_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct timerfd *t = f->priv;

    if (to->left < sizeof(uint64_t)) {
        return -EINVAL;
    }
    for (;;) {
        mutex_lock(&t->lock);
        catch_up(t);
        uint64_t n = t->expired;

        t->expired = 0;
        mutex_unlock(&t->lock);
        if (n > 0) {
            return iter_put(to, &n, sizeof(n)) == sizeof(n) ? 8 : -EFAULT;
        }
        int r =
            file_wait(f, EV_IN, file_nonblock(f) || (flags & RWF_NOWAIT) != 0 ? 0 : WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
    }
}

static void timerfd_fdinfo(struct file *f, struct strbuf *out)
{
    struct timerfd *t = f->priv;

    mutex_lock(&t->lock);
    strbuf_printf(out, "clockid: %d\nticks: %lu\nsettime flags: %o\n", t->clock, t->expired,
                  (uint32_t)t->settime_flags);
    mutex_unlock(&t->lock);
}

static void timerfd_release(struct file *f)
{
    kfree(f->priv);
}

static const struct file_ops g_timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .read = timerfd_read,
    .poll = timerfd_poll,
    .seek = file_seek_nothing,
    .fdinfo = timerfd_fdinfo,
    .release = timerfd_release,
};

SYSCALL_2(timerfd_create, int, clock, int, flags)
{
    struct file *f = NULL;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME: break;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: return -EPERM; /* CAP_WAKE_ALARM */
    default: return -EINVAL;
    }
    struct timerfd *t = kzalloc(sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    waitq_init(&t->waiters);
    t->clock = clock;
    int r = file_anonymous(&g_timerfd_ops, 0, O_RDWR | ((uint32_t)flags & O_NONBLOCK),
                           FILE_READ | FILE_WRITE | FILE_STREAM, t, &f);

    if (r < 0) {
        kfree(t);
        return r;
    }
    r = fd_install(f, (flags & O_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

/* What is left and the interval, as timerfd_gettime shows them. Under the lock. */
static struct itimerspec64 current_setting(struct timerfd *t)
{
    struct itimerspec64 ret = {0};

    catch_up(t);
    uint64_t now = clock_now(t->clock);

    ret.interval = ns_to_timespec(t->interval);
    if (t->next != 0) {
        ret.value = ns_to_timespec(t->next > now ? t->next - now : 1);
    }
    return ret;
}

SYSCALL_4(timerfd_settime, int, fd, int, flags, uint64_t, user_new, uint64_t, user_old)
{
    struct itimerspec64 spec;
    struct itimerspec64 old;
    uint64_t value = 0;
    uint64_t interval = 0;

    if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0) {
        return -EINVAL;
    }
    int r = user_get(&spec, user_new);

    if (r == 0) {
        r = timespec_to_ns(&spec.value, &value);
    }
    if (r == 0) {
        r = timespec_to_ns(&spec.interval, &interval);
    }
    if (r < 0) {
        return r;
    }
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL || f->ops != &g_timerfd_ops) {
        return f == NULL ? -EBADF : -EINVAL;
    }
    struct timerfd *t = f->priv;

    mutex_lock(&t->lock);
    old = current_setting(t);
    t->expired = 0;
    t->interval = interval;
    t->next = 0;
    t->settime_flags = flags;
    if (value != 0) {
        uint64_t base = (flags & TFD_TIMER_ABSTIME) != 0 ? 0 : clock_now(t->clock);

        if (__builtin_add_overflow(base, value, &t->next)) {
            t->next = UINT64_MAX - 1;
        }
    }
    waitq_wake_all(&t->waiters, 0);
    mutex_unlock(&t->lock);
    return user_old == 0 ? 0 : user_put(user_old, &old);
}

SYSCALL_2(timerfd_gettime, int, fd, uint64_t, user_cur)
{
    _cleanup_file_ struct file *f = fd_get(fd);

    if (f == NULL || f->ops != &g_timerfd_ops) {
        return f == NULL ? -EBADF : -EINVAL;
    }
    struct timerfd *t = f->priv;

    mutex_lock(&t->lock);
    struct itimerspec64 cur = current_setting(t);

    mutex_unlock(&t->lock);
    return user_put(user_cur, &cur);
}
