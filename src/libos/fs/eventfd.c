/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* eventfd(2). */

#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/fs/shared.h"
#include "libos/lib/strbuf.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"

#define COUNT_MAX (UINT64_MAX - 1)

#define EFD_SEMAPHORE 1

struct eventfd {
    struct mutex lock;
    struct waitq waiters;
    uint64_t count;
    bool semaphore;
};

static int64_t eventfd_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct eventfd *e = f->priv;
    uint64_t value = 0;

    if (to->left < sizeof(value)) {
        return -EINVAL;
    }
    for (;;) {
        mutex_lock(&e->lock);
        if (e->count > 0) {
            value = e->semaphore ? 1 : e->count;
            e->count -= value;
            waitq_wake_all(&e->waiters, EV_WRITE);
        }
        mutex_unlock(&e->lock);
        if (value > 0) {
            return iter_put(to, &value, sizeof(value)) == sizeof(value) ? 8 : -EFAULT;
        }
        int r =
            file_wait(f, EV_IN, file_nonblock(f) || (flags & RWF_NOWAIT) != 0 ? 0 : WAIT_FOREVER);

        if (r < 0) {
            return r;
        }
    }
}

static int64_t eventfd_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    struct eventfd *e = f->priv;
    uint64_t value = 0;

    if (from->left < sizeof(value)) {
        return -EINVAL;
    }
    if (iter_take(from, &value, sizeof(value)) < sizeof(value)) {
        return -EFAULT;
    }
    if (value == UINT64_MAX) {
        return -EINVAL;
    }
    for (;;) {
        bool done = false;

        mutex_lock(&e->lock);
        if (COUNT_MAX - e->count >= value) {
            e->count += value;
            done = true;
            waitq_wake_all(&e->waiters, EV_READ);
        }
        mutex_unlock(&e->lock);
        if (done) {
            return 8;
        }
        if (file_nonblock(f) || (flags & RWF_NOWAIT) != 0) {
            return -EAGAIN;
        }
        /* EV_OUT says "one fits", a larger value may have to wait for more */
        struct waiter w;

        waiter_init(&w);
        waitq_add(&e->waiters, &w);
        int r = COUNT_MAX - __atomic_load_n(&e->count, __ATOMIC_ACQUIRE) >= value
                    ? 0
                    : thread_wait(WAIT_FOREVER);

        waitq_remove(&w);
        if (r < 0) {
            return r == -EINTR ? -ERESTARTSYS : r;
        }
    }
}

static uint32_t eventfd_poll(struct file *f, struct poll_table *pt)
{
    struct eventfd *e = f->priv;

    poll_queue(pt, &e->waiters);
    uint64_t count = __atomic_load_n(&e->count, __ATOMIC_ACQUIRE);

    return (count > 0 ? EV_READ : 0) | (count < COUNT_MAX ? EV_WRITE : 0);
}

static void eventfd_fdinfo(struct file *f, struct strbuf *out)
{
    const struct eventfd *e = f->priv;

    strbuf_printf(out, "eventfd-count: %16lx\n", e->count);
}

static void eventfd_pack(struct file *f, struct shared_state *ret)
{
    const struct eventfd *e = f->priv;

    ret->kind = SHARED_EVENTFD;
    ret->words[0] = e->count;
    ret->words[1] = e->semaphore;
}

static void eventfd_release(struct file *f)
{
    kfree(f->priv);
}

static const struct file_ops g_eventfd_ops = {
    .name = "anon_inode:[eventfd]",
    .shared = true,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .seek = file_seek_nothing,
    .pack = eventfd_pack,
    .fdinfo = eventfd_fdinfo,
    .release = eventfd_release,
};

int eventfd_make(const struct shared_state *s, struct file **ret)
{
    struct eventfd *e = kzalloc(sizeof(*e));
    int r;

    if (e == NULL) {
        return -ENOMEM;
    }
    waitq_init(&e->waiters);
    e->count = MIN(s->words[0], COUNT_MAX);
    e->semaphore = s->words[1] != 0;
    r = file_anonymous(&g_eventfd_ops, 0, O_RDWR | s->flags, FILE_READ | FILE_WRITE | FILE_STREAM,
                       e, ret);
    if (r < 0) {
        kfree(e);
    }
    return r;
}

static int64_t eventfd_common(uint32_t count, int flags)
{
    const struct shared_state s = {.kind = SHARED_EVENTFD,
                                   .flags = (uint32_t)flags & O_NONBLOCK,
                                   .words = {count, (flags & EFD_SEMAPHORE) != 0}};
    struct file *f = NULL;
    int r;

    if ((flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE)) != 0) {
        return -EINVAL;
    }
    r = eventfd_make(&s, &f);
    if (r < 0) {
        return r;
    }
    r = fd_install(f, (flags & O_CLOEXEC) != 0, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

SYSCALL_1(eventfd, uint32_t, count)
{
    return eventfd_common(count, 0);
}

SYSCALL_2(eventfd2, uint32_t, count, int, flags)
{
    return eventfd_common(count, flags);
}
