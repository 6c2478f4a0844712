/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* signalfd(2): reading takes pending signals of the caller. */

#include <linux/signalfd.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/lib/strbuf.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"

#define UNBLOCKABLE ((1ull << (9 - 1)) | (1ull << (19 - 1))) /* SIGKILL, SIGSTOP */

struct signalfd {
    uint64_t mask;
};

static void convert(const struct siginfo_kernel *in, struct signalfd_siginfo *ret)
{
    *ret = (struct signalfd_siginfo){
        .ssi_signo = (uint32_t)in->signo,
        .ssi_errno = in->err,
        .ssi_code = in->code,
    };
    if (in->code == -2) { /* SI_TIMER */
        ret->ssi_tid = (uint32_t)in->timer.id;
        ret->ssi_overrun = (uint32_t)in->timer.overrun;
        ret->ssi_ptr = in->timer.value;
        ret->ssi_int = (int32_t)in->timer.value;
        return;
    }
    if (in->code > 0 && in->code != 0x80 &&
        (in->signo == 11 || in->signo == 7 || in->signo == 8 || in->signo == 4)) {
        ret->ssi_addr = in->fault.addr;
        return;
    }
    ret->ssi_pid = (uint32_t)in->kill.pid;
    ret->ssi_uid = in->kill.uid;
    ret->ssi_ptr = in->kill.value;
    ret->ssi_int = (int32_t)in->kill.value;
    if (in->signo == 17) { /* SIGCHLD */
        ret->ssi_status = (int32_t)in->kill.value;
    }
}

static int64_t take_signals(const struct signalfd *s, struct iter *to)
{
    int64_t done = 0;

    while (to->left >= sizeof(struct signalfd_siginfo)) {
        struct siginfo_kernel info;
        struct signalfd_siginfo out;

        if (signal_take(s->mask, &info) == 0) {
            break;
        }
        convert(&info, &out);
        if (iter_put(to, &out, sizeof(out)) < sizeof(out)) {
            return done > 0 ? done : -EFAULT;
        }
        done += (int64_t)sizeof(out);
    }
    return done;
}

static int64_t signalfd_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    if (to->left < sizeof(struct signalfd_siginfo)) {
        return -EINVAL;
    }
    for (;;) {
        int64_t n = take_signals(f->priv, to);

        if (n != 0) {
            return n;
        }
        int r =
            file_wait(f, EV_IN, file_nonblock(f) || (flags & RWF_NOWAIT) != 0 ? 0 : WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
    }
}

static uint32_t signalfd_poll(struct file *f, struct poll_table *pt)
{
    const struct signalfd *s = f->priv;

    poll_queue(pt, signal_waitq(process_current()));
    return (signal_pending_mask(thread_current()) & s->mask) != 0 ? EV_READ : 0;
}

static void signalfd_fdinfo(struct file *f, struct strbuf *out)
{
    const struct signalfd *s = f->priv;

    strbuf_printf(out, "sigmask:\t%016lx\n", s->mask);
}

static void signalfd_release(struct file *f)
{
    kfree(f->priv);
}

static const struct file_ops g_signalfd_ops = {
    .name = "anon_inode:[signalfd]",
    .read = signalfd_read,
    .poll = signalfd_poll,
    .seek = file_seek_nothing,
    .fdinfo = signalfd_fdinfo,
    .release = signalfd_release,
};

static int64_t signalfd_common(int fd, uint64_t user_mask, uint64_t size, int flags)
{
    struct file *f = NULL;
    uint64_t mask = 0;

    if (size != sizeof(mask) || (flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return -EINVAL;
    }
    int r = user_get(&mask, user_mask);

    if (r < 0) {
        return r;
    }
    mask &= ~UNBLOCKABLE;
    if (fd != -1) { /* change an existing one */
        f = fd_get(fd);
        if (f == NULL || f->ops != &g_signalfd_ops) {
            r = f == NULL ? -EBADF : -EINVAL;
            file_put(f);
            return r;
        }
        ((struct signalfd *)f->priv)->mask = mask;
        waitq_wake_all(signal_waitq(process_current()), EV_READ);
        file_put(f);
        return fd;
    }
    struct signalfd *s = kzalloc(sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    s->mask = mask;
    r = file_anonymous(&g_signalfd_ops, 0, O_RDWR | ((uint32_t)flags & O_NONBLOCK),
                       FILE_READ | FILE_WRITE | FILE_STREAM, s, &f);
    if (r < 0) {
        kfree(s);
        return r;
    }
    r = fd_install(f, (flags & O_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_3(signalfd, int, fd, uint64_t, mask, uint64_t, size)
{
    return signalfd_common(fd, mask, size, 0);
}

SYSCALL_4(signalfd4, int, fd, uint64_t, mask, uint64_t, size, int, flags)
{
    return signalfd_common(fd, mask, size, flags);
}
