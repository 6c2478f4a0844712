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
#include "libos/time/clock.h"

#define BUCKETS  256u
#define IO_CHUNK ((size_t)120 << 10)
#define SIGPIPE_ 13

static const struct file_ops g_remote_file_ops;
static struct spinlock g_table_lock;
static struct remote_wait *g_table[BUCKETS];

static struct remote_wait *wait_of(const struct file *f)
{
    return f->priv;
}

bool remote_is_file(const struct file *f)
{
    return f->ops == &g_remote_file_ops;
}

uint32_t remote_file_handle(const struct file *f)
{
    return wait_of(f)->handle;
}

void remote_wait_add(struct remote_wait *w, uint32_t handle)
{
    w->handle = handle;
    waitq_init(&w->waiters);
    spin_lock(&g_table_lock);
    w->next = g_table[handle % BUCKETS];
    g_table[handle % BUCKETS] = w;
    spin_unlock(&g_table_lock);
}

void remote_wait_remove(struct remote_wait *w)
{
    struct remote_wait **link = &g_table[w->handle % BUCKETS];

    spin_lock(&g_table_lock);
    while (*link != w) {
        link = &(*link)->next;
    }
    *link = w->next;
    spin_unlock(&g_table_lock);
}

bool remote_file_event(uint32_t handle)
{
    bool found = false;

    spin_lock(&g_table_lock);
    for (struct remote_wait *w = g_table[handle % BUCKETS]; w != NULL; w = w->next) {
        if (w->handle == handle) {
            /* The owner tells of one change and then waits to be asked again. An epoll that drops
             * what it does not want (room to write) would never ask: have everybody look. */
            waitq_wake_all(&w->waiters, 0);
            found = true;
        }
    }
    spin_unlock(&g_table_lock);
    return found;
}

void remote_drop(uint32_t handle)
{
    const struct wire_grant g = {.handle = handle, .grants = 1};

    (void)!remote_ask(FAMILY_OP_drop, &g, sizeof(g), NULL, 0, NULL);
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
                               .steady = (io->w.how & WIRE_ARM) == 0};
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
    struct remote_wait *r = wait_of(io->f);
    struct waiter w;
    int64_t n;

    io->w.how |= WIRE_ARM;
    waiter_init(&w);
    waitq_add(&r->waiters, &w);
    for (;;) {
        n = transfer(io); /* a pipe's answer comes when it is done */
        if (n != -EAGAIN) {
            n = n == -EINTR ? -ERESTARTSYS : n;
            break;
        }
        if (r->timed) {
            n = file_wait(io->f, EV_IN, WAIT_FOREVER);
            if (n < 0) {
                break;
            }
        } else if (thread_wait_helping(WAIT_FOREVER) < 0) {
            n = -ERESTARTSYS;
            break;
        }
    }
    waitq_remove(&w);
    return n;
}

static int64_t remote_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct remote_wait *r = wait_of(f);
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
    struct remote_wait *r = wait_of(f);
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
    struct remote_wait *r = wait_of(f);
    const struct wire_file_word w = {.handle = r->handle, .word = pt == NULL ? 0 : WIRE_ARM};
    uint64_t until;
    size_t size;
    int64_t n;

    poll_queue(pt, &r->waiters);
    n = remote_ask(FAMILY_OP_file_poll, &w, sizeof(w), &until, sizeof(until), &size);
    if (n >= 0 && size == sizeof(until)) {
        poll_until(pt, until);
    }
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
    struct remote_wait *w = wait_of(f);

    remote_wait_remove(w);
    remote_drop(w->handle);
    kfree(w);
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

int remote_file_turn(struct file *f, uint32_t handle)
{
    struct remote_wait *w = kzalloc(sizeof(*w));

    if (w == NULL) {
        return -ENOMEM;
    }
    w->timed = f->ops->timed;
    remote_wait_add(w, handle);
    f->ops = &g_remote_file_ops;
    f->priv = w;
    f->mode |= FILE_REMOTE;
    return 0;
}

int remote_share_file(struct file *f, uint32_t *ret)
{
    struct wire_opened opened;
    struct wire_open w;
    size_t size = 0;
    int64_t r;

    if (remote_is_file(f)) {
        *ret = remote_file_handle(f);
        return 0;
    }
    *ret = remote_sock_handle(f);
    if (*ret != 0) {
        return 0;
    }
    if (f->inode == NULL || !S_ISREG(f->inode->mode) || !remote_is_super(f->inode->sb)) {
        return -EOPNOTSUPP;
    }
    w = (struct wire_open){
        .handle = remote_inode_handle(f->inode), .flags = f->flags, .pos = f->pos};
    r = remote_ask(FAMILY_OP_file_on_inode, &w, sizeof(w), &opened, sizeof(opened), &size);
    if (r < 0 || size != sizeof(opened)) {
        return r < 0 ? (int)r : -EIO;
    }
    r = remote_file_turn(f, opened.handle);
    if (r < 0) {
        remote_drop(opened.handle);
        return (int)r;
    }
    *ret = opened.handle;
    return 0;
}

/* A pipe(2) that is opened again through /proc has no name anywhere: nobody waits for anybody. */
static bool file_is_nameless(const struct file *f)
{
    return f->path.dentry == NULL || f->path.dentry->parent == f->path.dentry;
}

/* How often the other side of a FIFO is looked for: such opens are rare and take long anyway. */
#define FIFO_LOOK_NS 2000000ull

static int fifo_pause(void)
{
    return thread_wait(clock_monotonic() + FIFO_LOOK_NS) == -EINTR ? -ERESTARTSYS : 0;
}

/* A reader that may wait does so until somebody writes, or has come and gone. */
static int fifo_await_writer(uint32_t handle, uint64_t before)
{
    const int64_t first = (int64_t)before;
    int64_t now = first;

    while (now >= 0 && (now & 1) == 0 && now == first) {
        int r = fifo_pause();

        if (r < 0) {
            return r;
        }
        now = remote_ask(FAMILY_OP_file_writers, &handle, sizeof(handle), NULL, 0, NULL);
    }
    return (int)MIN(now, (int64_t)0);
}

/* The owner opens without waiting. A writer asks again until there is a reader. */
static int fifo_open_there(const struct wire_open *w, struct wire_opened *ret)
{
    for (;;) {
        size_t size = 0;
        int64_t r = remote_ask(FAMILY_OP_file_on_inode, w, sizeof(*w), ret, sizeof(*ret), &size);

        if (r != -ENXIO || (w->flags & (uint32_t)O_NONBLOCK) != 0) {
            return r < 0 ? (int)r : size == sizeof(*ret) ? 0 : -EIO;
        }
        r = fifo_pause();
        if (r < 0) {
            return (int)r;
        }
    }
}

int remote_fifo_open(struct inode *inode, struct file *f)
{
    const struct wire_open w = {.handle = remote_inode_handle(inode), .flags = f->flags};
    struct wire_opened opened = {0};
    int r = fifo_open_there(&w, &opened);
    const uint32_t handle = opened.handle;

    if (r == 0 && !file_nonblock(f)) {
        const struct wire_file_word flags = {.handle = handle, .word = f->flags};

        r = (int)remote_ask(FAMILY_OP_file_flags, &flags, sizeof(flags), NULL, 0, NULL);
        if (r == 0 && (f->mode & (FILE_READ | FILE_WRITE)) == FILE_READ && !file_is_nameless(f)) {
            r = fifo_await_writer(handle, opened.writers);
        }
        if (r < 0) {
            remote_drop(handle);
        }
    }
    if (r < 0) {
        return r;
    }
    r = remote_file_turn(f, handle);
    if (r < 0) {
        remote_drop(handle);
        return r;
    }
    f->mode |= FILE_STREAM;
    return 0;
}

static uint32_t handle_of_pipe(const struct inode *inode)
{
    uint32_t handle = 0;

    spin_lock(&g_table_lock);
    for (uint32_t i = 0; i < BUCKETS && handle == 0; i++) {
        for (const struct remote_wait *w = g_table[i]; w != NULL && handle == 0; w = w->next) {
            handle = w->inode == inode ? w->handle : 0;
        }
    }
    spin_unlock(&g_table_lock);
    return handle;
}

int remote_pipe_again(const struct inode *inode, struct file *f)
{
    const struct wire_file_word w = {.handle = handle_of_pipe(inode), .word = f->flags};
    uint32_t handle = 0;
    size_t size = 0;
    int64_t r;

    if (w.handle == 0) {
        return -ENOENT;
    }
    r = remote_ask(FAMILY_OP_file_again, &w, sizeof(w), &handle, sizeof(handle), &size);
    if (r < 0 || size != sizeof(handle)) {
        return r < 0 ? (int)r : -EIO;
    }
    r = remote_file_turn(f, handle);
    if (r < 0) {
        remote_drop(handle);
        return (int)r;
    }
    wait_of(f)->inode = inode; /* and again, by the new one */
    f->mode |= FILE_STREAM;
    return 0;
}

int remote_file_make(uint32_t handle, uint32_t type, uint32_t flags, uint32_t mode,
                     struct file **ret)
{
    struct remote_wait *w = kzalloc(sizeof(*w));
    int r;

    if (w == NULL) {
        remote_drop(handle);
        return -ENOMEM;
    }
    remote_wait_add(w, handle);
    r = file_anonymous(&g_remote_file_ops, type, flags, mode | FILE_REMOTE, w, ret);
    if (r < 0) {
        remote_wait_remove(w);
        remote_drop(handle);
        kfree(w);
    }
    return r;
}

int remote_pipe(uint32_t flags, struct file **ret_read, struct file **ret_write)
{
    uint32_t handles[2];
    size_t size = 0;
    int64_t r = remote_ask(FAMILY_OP_pipe, &flags, sizeof(flags), handles, sizeof(handles), &size);

    if (r < 0 || size != sizeof(handles)) {
        return r < 0 ? (int)r : -EIO;
    }
    r = remote_file_make(handles[0], S_IFIFO, O_RDONLY | flags, FILE_READ | FILE_STREAM, ret_read);
    if (r < 0) {
        remote_drop(handles[1]);
        return (int)r;
    }
    r = remote_file_make(handles[1], S_IFIFO, O_WRONLY | flags, FILE_WRITE | FILE_STREAM,
                         ret_write);
    if (r < 0) {
        file_put(*ret_read);
        return (int)r;
    }
    wait_of(*ret_read)->inode = (*ret_read)->inode;
    wait_of(*ret_write)->inode = (*ret_write)->inode;
    return 0;
}
