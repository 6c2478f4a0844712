/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Open files of the owner's: descriptors that were inherited, pipes, FIFOs. */

#include <asm/ioctls.h>

#include "libos/family/remote.h"
#include "libos/family/rpc.h"
#include "libos/fs/poll.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"

#define BUCKETS  256u
#define IO_CHUNK ((size_t)120 << 10)
#define SIGPIPE_ 13

struct rfile {
    struct rfile *next; /* same bucket */
    uint32_t handle;
    struct waitq waiters;
};

static const struct file_ops g_remote_file_ops;
static struct spinlock g_table_lock;
static struct rfile *g_table[BUCKETS];

bool remote_is_file(const struct file *f)
{
    return f->ops == &g_remote_file_ops;
}

uint32_t remote_file_handle(const struct file *f)
{
    return ((const struct rfile *)f->priv)->handle;
}

bool remote_file_event(uint32_t handle, uint32_t events)
{
    bool found = false;

    spin_lock(&g_table_lock);
    for (struct rfile *r = g_table[handle % BUCKETS]; r != NULL; r = r->next) {
        if (r->handle == handle) {
            waitq_wake_all(&r->waiters, events);
            found = true;
        }
    }
    spin_unlock(&g_table_lock);
    return found;
}

/* ---- reading and writing ---- */

static bool no_wait(const struct file *f, uint32_t flags)
{
    return file_nonblock(f) || (flags & RWF_NOWAIT) != 0;
}

struct io {
    struct file *f;
    struct iter *it;
    struct wire_file_io w;
    bool write;
};

/* One request. */
static int64_t transfer(struct io *io)
{
    const uint64_t left = io->it->left;
    const struct channel_part part = {&io->w, sizeof(io->w)};
    struct family_message m = {.op = io->write ? FAMILY_OP_file_write : FAMILY_OP_file_read,
                               .parts = &part,
                               .part_count = 1,
                               .steady = true};
    struct iter saved = *io->it;
    int64_t n;

    io->w.size = (uint32_t)MIN(left, (uint64_t)IO_CHUNK);
    if (io->write) {
        m.from = io->it;
        m.from_size = io->w.size;
    } else {
        m.to = io->it;
    }
    n = family_exchange(&m);
    if (io->write) { /* what was not taken goes again */
        iter_restore(io->it, &saved);
        if (n > 0) {
            iter_skip(io->it, (uint64_t)n);
        }
    }
    return n;
}

/* Waits for the owner's word between two tries. */
static int64_t transfer_waiting(struct io *io)
{
    struct rfile *r = io->f->priv;
    struct waiter w;
    int64_t n;

    io->w.how |= WIRE_ARM;
    waiter_init(&w);
    waitq_add(&r->waiters, &w);
    for (;;) {
        n = transfer(io);
        if (n != -EAGAIN) {
            break;
        }
        if (thread_wait(WAIT_FOREVER) < 0) {
            n = -ERESTARTSYS;
            break;
        }
    }
    waitq_remove(&w);
    return n;
}

static int64_t remote_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct rfile *r = f->priv;
    struct io io = {.f = f, .it = to, .w = {.handle = r->handle, .flags = flags & ~RWF_NOWAIT}};
    const bool whole = (f->mode & FILE_STREAM) == 0;
    int64_t done = 0;

    if (to->left == 0) {
        return 0;
    }
    do {
        int64_t n;

        if (pos != NULL) {
            io.w.pos = *pos + (uint64_t)done;
            io.w.how = WIRE_AT;
        }
        n = no_wait(f, flags) ? transfer(&io) : transfer_waiting(&io);
        if (n < 0) {
            return done > 0 ? done : n;
        }
        done += n;
        if (n < (int64_t)io.w.size) {
            break;
        }
    } while (whole && to->left > 0);
    if (pos != NULL) {
        *pos += (uint64_t)done;
    }
    return done;
}

static int64_t remote_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    struct rfile *r = f->priv;
    struct io io = {.f = f,
                    .it = from,
                    .w = {.handle = r->handle, .flags = flags & ~RWF_NOWAIT},
                    .write = true};
    int64_t done = 0;

    while (from->left > 0) {
        int64_t n;

        if (pos != NULL) {
            io.w.pos = *pos + (uint64_t)done;
            io.w.how = WIRE_AT;
        }
        n = no_wait(f, flags) ? transfer(&io) : transfer_waiting(&io);
        if (n == -EPIPE) {
            (void)signal_send_thread(thread_current(), SIGPIPE_, NULL);
        }
        if (n < 0) {
            return done > 0 ? done : n;
        }
        done += n;
        if (n == 0) {
            break;
        }
    }
    if (pos != NULL) {
        *pos += (uint64_t)done;
    }
    return done;
}

static int64_t remote_seek(struct file *f, int64_t offset, int whence)
{
    const struct wire_file_seek w = {
        .handle = remote_file_handle(f), .whence = whence, .offset = offset};

    return remote_ask(FAMILY_OP_file_seek, &w, sizeof(w), NULL, 0, NULL);
}

static uint32_t remote_poll(struct file *f, struct poll_table *pt)
{
    struct rfile *r = f->priv;
    const struct wire_file_word w = {.handle = r->handle, .word = pt == NULL ? 0 : WIRE_ARM};
    int64_t n;

    poll_queue(pt, &r->waiters);
    n = remote_ask(FAMILY_OP_file_poll, &w, sizeof(w), NULL, 0, NULL);
    return n < 0 ? EV_ERR : (uint32_t)n;
}

static int64_t remote_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    const uint32_t handle = remote_file_handle(f);
    int32_t pending;
    int64_t n;

    if (request != FIONREAD) {
        return -ENOTTY;
    }
    n = remote_ask(FAMILY_OP_file_pending, &handle, sizeof(handle), NULL, 0, NULL);
    if (n < 0) {
        return n;
    }
    pending = (int32_t)n;
    return user_put(arg, &pending);
}

static int remote_set_flags(struct file *f, uint32_t flags)
{
    const struct wire_file_word w = {.handle = remote_file_handle(f), .word = flags};

    return (int)remote_ask(FAMILY_OP_file_flags, &w, sizeof(w), NULL, 0, NULL);
}

static int remote_fsync(struct file *f, bool data_only)
{
    return (f->mode & FILE_STREAM) != 0 ? -EINVAL : 0;
}

static void remote_release(struct file *f)
{
    struct rfile *r = f->priv;
    const struct wire_grant g = {.handle = r->handle, .grants = 1};
    struct rfile **link = &g_table[r->handle % BUCKETS];

    spin_lock(&g_table_lock);
    while (*link != r) {
        link = &(*link)->next;
    }
    *link = r->next;
    spin_unlock(&g_table_lock);
    (void)!remote_ask(FAMILY_OP_drop, &g, sizeof(g), NULL, 0, NULL);
    kfree(r);
}

static const struct file_ops g_remote_file_ops = {
    .name = "pipe:[%lu]", /* files without a name are pipes, or have a label already */
    .read = remote_read,
    .write = remote_write,
    .seek = remote_seek,
    .poll = remote_poll,
    .ioctl = remote_ioctl,
    .set_flags = remote_set_flags,
    .fsync = remote_fsync,
    .release = remote_release,
};

int64_t remote_pipe_size(const struct file *f, uint64_t size)
{
    const struct wire_pipe_size w = {.handle = remote_file_handle(f), .size = size};

    return remote_ask(FAMILY_OP_file_pipe_size, &w, sizeof(w), NULL, 0, NULL);
}

/* ---- making them ---- */

static int rfile_new(uint32_t handle, struct rfile **ret)
{
    struct rfile *r = kzalloc(sizeof(*r));

    if (r == NULL) {
        return -ENOMEM;
    }
    r->handle = handle;
    waitq_init(&r->waiters);
    spin_lock(&g_table_lock);
    r->next = g_table[handle % BUCKETS];
    g_table[handle % BUCKETS] = r;
    spin_unlock(&g_table_lock);
    *ret = r;
    return 0;
}

int remote_file_turn(struct file *f, uint32_t handle)
{
    struct rfile *r;
    int e = rfile_new(handle, &r);

    if (e == 0) {
        f->ops = &g_remote_file_ops;
        f->priv = r;
        f->mode |= FILE_REMOTE;
    }
    return e;
}

static void drop_handle(uint32_t handle)
{
    const struct wire_grant g = {.handle = handle, .grants = 1};

    (void)!remote_ask(FAMILY_OP_drop, &g, sizeof(g), NULL, 0, NULL);
}

int remote_fifo_open(struct inode *inode, struct file *f)
{
    const struct wire_open w = {.handle = remote_inode_handle(inode), .flags = f->flags};
    uint32_t handle = 0;
    size_t size = 0;
    int64_t r = family_call(FAMILY_OP_file_on_inode, &w, sizeof(w), &handle, sizeof(handle), &size);

    if (r < 0 || size != sizeof(handle)) {
        return r == -EINTR ? -ERESTARTSYS : r < 0 ? (int)r : -EIO;
    }
    r = remote_file_turn(f, handle);
    if (r < 0) {
        drop_handle(handle);
        return (int)r;
    }
    f->mode |= FILE_STREAM;
    return 0;
}

/* One end: a nameless file here for a handle. */
static int pipe_end(uint32_t handle, uint32_t flags, uint32_t mode, struct file **ret)
{
    struct rfile *r;
    int e = rfile_new(handle, &r);

    if (e < 0) {
        drop_handle(handle);
        return e;
    }
    e = file_anonymous(&g_remote_file_ops, S_IFIFO, flags, mode | FILE_STREAM | FILE_REMOTE, r,
                       ret);
    if (e < 0) {
        struct file f = {.priv = r};

        remote_release(&f);
    }
    return e;
}

int remote_pipe(uint32_t flags, struct file **ret_read, struct file **ret_write)
{
    uint32_t handles[2];
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_pipe, &flags, sizeof(flags), handles, sizeof(handles), &size);

    if (r < 0 || size != sizeof(handles)) {
        return r < 0 ? (int)r : -EIO;
    }
    r = pipe_end(handles[0], O_RDONLY | flags, FILE_READ, ret_read);
    if (r < 0) {
        drop_handle(handles[1]);
        return (int)r;
    }
    r = pipe_end(handles[1], O_WRONLY | flags, FILE_WRITE, ret_write);
    if (r < 0) {
        file_put(*ret_read);
    }
    return (int)r;
}
