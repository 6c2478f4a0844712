/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * timerfd(2) without a timer thread: what is due follows from the clock when somebody looks, and
 * whoever waits includes the next expiry in his deadline (poll_until).
 */

#include <linux/time.h>
#include <linux/timerfd.h>

#include "libos/family/remote.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/fs/shared.h"
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

static void timerfd_pack(struct file *f, struct shared_state *ret)
{
    const struct timerfd *t = f->priv;

    ret->kind = SHARED_TIMERFD;
    ret->words[0] = (uint64_t)t->clock;
    ret->words[1] = t->next;
    ret->words[2] = t->interval;
    ret->words[3] = t->expired;
    ret->words[4] = (uint32_t)t->settime_flags;
}

static void timerfd_release(struct file *f)
{
    kfree(f->priv);
}

static const struct file_ops g_timerfd_ops = {
    .name = "anon_inode:[timerfd]",
    .shared = true,
    .timed = true,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .seek = file_seek_nothing,
    .pack = timerfd_pack,
    .fdinfo = timerfd_fdinfo,
    .release = timerfd_release,
};

int timerfd_make(const struct shared_state *s, struct file **ret)
{
    const int clock = (int)s->words[0];
    struct timerfd *t;
    int r;

    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME) {
        return -EINVAL;
    }
    t = kzalloc(sizeof(*t));
    if (t == NULL) {
        return -ENOMEM;
    }
    waitq_init(&t->waiters);
    t->clock = clock;
    t->next = s->words[1];
    t->interval = s->words[2];
    t->expired = s->words[3];
    t->settime_flags = (int)s->words[4];
    r = file_anonymous(&g_timerfd_ops, 0, O_RDWR | s->flags, FILE_READ | FILE_WRITE | FILE_STREAM,
                       t, ret);
    if (r < 0) {
        kfree(t);
    }
    return r;
}

SYSCALL_2(timerfd_create, int, clock, int, flags)
{
    const struct shared_state s = {
        .kind = SHARED_TIMERFD, .flags = (uint32_t)flags & O_NONBLOCK, .words = {(uint32_t)clock}};
    struct file *f = NULL;
    int r;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    switch (clock) {
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM: return -EPERM; /* CAP_WAKE_ALARM */
    default: break;
    }
    r = timerfd_make(&s, &f);
    if (r < 0) {
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

int timerfd_set(struct file *f, int flags, uint64_t value, uint64_t interval,
                struct itimerspec64 *ret_old)
{
    struct timerfd *t = f->priv;

    if (f->ops != &g_timerfd_ops) {
        return remote_is_file(f) ? remote_timer_set(f, flags, value, interval, ret_old) : -EINVAL;
    }
    mutex_lock(&t->lock);
    *ret_old = current_setting(t);
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
    return 0;
}

int timerfd_get(struct file *f, struct itimerspec64 *ret)
{
    struct timerfd *t = f->priv;

    if (f->ops != &g_timerfd_ops) {
        return remote_is_file(f) ? remote_timer_get(f, ret) : -EINVAL;
    }
    mutex_lock(&t->lock);
    *ret = current_setting(t);
    mutex_unlock(&t->lock);
    return 0;
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

    r = f == NULL ? -EBADF : timerfd_set(f, flags, value, interval, &old);
    return r < 0 || user_old == 0 ? r : user_put(user_old, &old);
}

SYSCALL_2(timerfd_gettime, int, fd, uint64_t, user_cur)
{
    _cleanup_file_ struct file *f = fd_get(fd);
    struct itimerspec64 cur;
    const int r = f == NULL ? -EBADF : timerfd_get(f, &cur);

    return r < 0 ? r : user_put(user_cur, &cur);
}
