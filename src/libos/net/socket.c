/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/net/socket.h"

#include "libos/mm/kmem.h"
#include "libos/net/interface.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define SIGPIPE_ 13

void sock_msg_release(struct sock_msg *m)
{
    kfree(m->control);
    m->control = NULL;
    m->control_size = 0;
    for (size_t i = 0; i < m->file_count; i++) {
        file_put(m->files[i]);
    }
    kfree(m->files);
    m->files = NULL;
    m->file_count = 0;
}

int sock_broken_pipe(int flags)
{
    if ((flags & MSG_NOSIGNAL_) == 0) {
        (void)signal_send_self(SIGPIPE_);
    }
    return -EPIPE;
}

uint64_t sock_deadline(const struct socket *s, int flags, uint64_t timeout)
{
    if ((flags & MSG_DONTWAIT_) != 0 || (s->file != NULL && file_nonblock(s->file))) {
        return 0;
    }
    return timeout == 0 ? WAIT_FOREVER : clock_monotonic() + timeout;
}

int sock_wait(struct socket *s, uint32_t events, uint64_t deadline)
{
    if (deadline == 0 || (deadline != WAIT_FOREVER && clock_monotonic() >= deadline)) {
        return -EAGAIN;
    }
    return file_wait(s->file, events, deadline);
}

static int64_t sock_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct socket *s = f->priv;
    struct sock_msg m = {.flags = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT_ : 0};

    if (to->left == 0) {
        return 0;
    }
    iter_restore(&m.it, to);
    int64_t n = s->ops->receive(s, &m);

    sock_msg_release(&m);
    return n;
}

static int64_t sock_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    struct socket *s = f->priv;
    struct sock_msg m = {.flags = (flags & RWF_NOWAIT) != 0 ? MSG_DONTWAIT_ : 0};

    iter_restore(&m.it, from);
    return s->ops->send(s, &m);
}

static uint32_t sock_poll(struct file *f, struct poll_table *pt)
{
    struct socket *s = f->priv;

    return s->ops->poll(s, pt);
}

static int64_t sock_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    struct socket *s = f->priv;

    if (interface_request(request)) {
        return interface_ioctl(request, arg);
    }
    return s->ops->ioctl == NULL ? -ENOTTY : s->ops->ioctl(s, request, arg);
}

static int sock_host_fd(const struct file *f)
{
    const struct socket *s = f->priv;

    return s->ops->host_fd == NULL ? -1 : s->ops->host_fd(s);
}

static bool sock_watch(struct file *f, int32_t tid)
{
    struct socket *s = f->priv;

    return s->ops->watch != NULL && s->ops->watch(s, tid);
}

static void sock_arrived(struct file *f, uint8_t *data, int32_t size)
{
    struct socket *s = f->priv;

    s->ops->arrived(s, data, size); /* watch said so before */
}

static void sock_release(struct file *f)
{
    struct socket *s = f->priv;

    s->file = NULL;
    s->ops->release(s);
}

static const struct file_ops g_sock_ops = {
    .name = "socket:[%lu]",
    .read = sock_read,
    .write = sock_write,
    .poll = sock_poll,
    .ioctl = sock_ioctl,
    .host_fd = sock_host_fd,
    .watch = sock_watch,
    .arrived = sock_arrived,
    .release = sock_release,
};

struct socket *sock_of(const struct file *f)
{
    return f->ops == &g_sock_ops ? f->priv : NULL;
}

int sock_file(struct socket *s, uint32_t flags, struct file **ret)
{
    int r = file_anonymous(&g_sock_ops, S_IFSOCK, O_RDWR | (flags & (uint32_t)O_NONBLOCK),
                           FILE_READ | FILE_WRITE | FILE_STREAM, s, ret);

    if (r == 0) {
        s->file = *ret;
        (*ret)->inode->mode = S_IFSOCK | 0777;
    }
    return r;
}
