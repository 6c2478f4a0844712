/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Pipes and FIFOs: a ring of bytes under a mutex. Writes of up to PIPE_BUF bytes are never split
 * between other writers' bytes. With O_DIRECT each write is a packet; packet lengths sit in the
 * ring in front of their bytes.
 */

#include "libos/fs/pipe.h"

#include <asm/ioctls.h>

#include "libos/fs/poll.h"
#include "libos/mm/kmem.h"
#include "libos/proc/thread.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"

#define SIGPIPE_ 13

struct pipe {
    struct mutex lock;
    struct waitq waiters; /* readers, writers and openers alike */
    struct list laters;   /* struct pipe_later: what members of the family wait for here */
    uint8_t *ring;
    uint32_t size; /* capacity */
    uint32_t room; /* bytes of the ring: 0 until the first write, then at least `size` */
    uint32_t head; /* where reading goes on */
    uint32_t used;
    uint32_t readers, writers;
    uint32_t reader_opens, writer_opens; /* ever, for FIFO opens that wait */
    bool packets;
    bool nameless; /* made by pipe(2): opening it again through /proc waits for nobody */
    struct refcount refs;
};

static struct pipe *pipe_new(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (p != NULL) {
        waitq_init(&p->waiters);
        list_init(&p->laters);
        p->size = PIPE_SIZE_DEFAULT;
        ref_init(&p->refs);
    }
    return p;
}

static void ring_free(uint8_t *ring, uint32_t size)
{
    if (ring != NULL) {
        kpages_free(ring, size >> NACRE_PAGE_SHIFT);
    }
}

static void pipe_put(struct pipe *p)
{
    if (p != NULL && ref_put(&p->refs)) {
        ring_free(p->ring, p->room);
        kfree(p);
    }
}

void pipe_inode_free(struct pipe *p)
{
    pipe_put(p);
}

/* What may still go in before a writer waits. */
static uint32_t space_of(const struct pipe *p)
{
    return p->size - MIN(p->used, p->size);
}

/* Bytes that lie together from ring position `at`. */
static uint32_t run_at(const struct pipe *p, uint32_t at, uint32_t want)
{
    return MIN(want, p->room - at);
}

static uint32_t ring_put(struct pipe *p, struct iter *from, uint32_t n)
{
    uint32_t done = 0;

    while (done < n) {
        uint32_t at = (p->head + p->used) % p->room;
        uint32_t run = run_at(p, at, n - done);
        uint32_t copied = (uint32_t)iter_take(from, p->ring + at, run);

        p->used += copied;
        done += copied;
        if (copied < run) {
            break;
        }
    }
    return done;
}

static void ring_drop(struct pipe *p, uint32_t n)
{
    p->head = (p->head + n) % p->room;
    p->used -= n;
    if (p->used == 0) {
        p->head = 0;
    }
}

static uint32_t ring_get(struct pipe *p, struct iter *to, uint32_t n)
{
    uint32_t done = 0;

    while (done < n) {
        uint32_t run = run_at(p, p->head, n - done);
        uint32_t copied = (uint32_t)iter_put(to, p->ring + p->head, run);

        ring_drop(p, copied);
        done += copied;
        if (copied < run) {
            break;
        }
    }
    return done;
}

static void ring_peek(const struct pipe *p, void *dst, uint32_t n)
{
    uint32_t run = run_at(p, p->head, n);

    __builtin_memcpy(dst, p->ring + p->head, run);
    __builtin_memcpy((uint8_t *)dst + run, p->ring, n - run);
}

/* A ring of at least `want` bytes, with what is in it. */
static int ensure_room(struct pipe *p, uint32_t want)
{
    uint8_t *ring;

    want = (want + NACRE_PAGE_SIZE - 1) & ~(NACRE_PAGE_SIZE - 1u);
    if (p->room >= want) {
        return 0;
    }
    ring = kpages_alloc(want >> NACRE_PAGE_SHIFT);
    if (ring == NULL) {
        return -ENOMEM;
    }
    if (p->used > 0) {
        ring_peek(p, ring, p->used);
    }
    ring_free(p->ring, p->room);
    p->ring = ring;
    p->room = want;
    p->head = 0;
    return 0;
}

static int64_t read_packet(struct pipe *p, struct iter *to)
{
    uint32_t size = 0;

    ring_peek(p, &size, sizeof(size));
    ring_drop(p, sizeof(size));
    uint32_t n = (uint32_t)MIN((uint64_t)size, to->left);
    uint32_t got = ring_get(p, to, n);

    ring_drop(p, size - got);
    return got < n ? -EFAULT : (int64_t)n;
}

/* How much of `left` may go in now: all or nothing up to PIPE_BUF. */
static uint32_t writable(const struct pipe *p, uint64_t left)
{
    uint32_t space = space_of(p);

    if (left <= PIPE_BUF_ATOMIC) {
        return space >= left ? (uint32_t)left : 0;
    }
    return (uint32_t)MIN((uint64_t)space, left);
}

static int64_t write_packet(struct pipe *p, struct iter *from)
{
    uint32_t n = (uint32_t)MIN(from->left, (uint64_t)PIPE_BUF_ATOMIC);
    struct iter head;

    if (space_of(p) < n + sizeof(n)) {
        return 0;
    }
    iter_init_kernel(&head, &n, sizeof(n));
    (void)ring_put(p, &head, sizeof(n));
    uint32_t put = ring_put(p, from, n);

    if (put < n) { /* take back what went in */
        p->used -= put + (uint32_t)sizeof(n);
        return -EFAULT;
    }
    return n;
}

static int64_t write_some(struct pipe *p, struct iter *from)
{
    if (p->packets) {
        return write_packet(p, from);
    }
    uint32_t n = writable(p, from->left);
    uint32_t put = ring_put(p, from, n);

    return put < n && put == 0 ? -EFAULT : (int64_t)put;
}

/* ---- what waits here for others ---- */

/* One step of it. True: it is done, with l->result. */
static bool step(struct pipe *p, struct pipe_later *l, bool *moved)
{
    struct iter it;
    int64_t n;

    iter_init_kernel(&it, l->data + l->done, l->size - l->done);
    if (l->write && p->readers == 0) {
        l->result = l->done > 0 ? (int64_t)l->done : -EPIPE;
        return true;
    }
    if (l->write) {
        n = write_some(p, &it);
        l->done += n > 0 ? (uint32_t)n : 0;
        *moved |= n > 0;
        l->result = n < 0 ? n : (int64_t)l->done;
        return n < 0 || l->done == l->size;
    }
    if (p->used == 0) {
        l->result = 0;
        return p->writers == 0;
    }
    l->result = p->packets ? read_packet(p, &it) : (int64_t)ring_get(p, &it, MIN(p->used, l->size));
    *moved = true;
    return true;
}

/* Goes through all that waits until nothing moves; what is done goes to `done`. */
static void serve_laters(struct pipe *p, struct list *done)
{
    bool moved = true;

    while (moved) {
        moved = false;
        list_for_each_safe (at, &p->laters) {
            struct pipe_later *l = list_entry(at, struct pipe_later, node);

            if (step(p, l, &moved)) {
                list_remove(&l->node);
                list_insert(done, &l->node);
            } else if (l->write) {
                break; /* those behind it wait for it */
            }
        }
        if (moved) {
            waitq_wake_all(&p->waiters, EV_READ | EV_WRITE);
        }
    }
}

/* After a change: who waits from afar gets its part, and hears of it once the lock is free. */
static void unlock(struct pipe *p)
{
    struct list done;

    if (list_empty(&p->laters)) {
        mutex_unlock(&p->lock);
        return;
    }
    list_init(&done);
    serve_laters(p, &done);
    mutex_unlock(&p->lock);
    list_for_each_safe (at, &done) {
        struct pipe_later *l = list_entry(at, struct pipe_later, node);

        list_remove(&l->node);
        l->finish(l);
    }
}

void pipe_later(struct pipe *p, struct pipe_later *l)
{
    mutex_lock(&p->lock);
    if (ensure_room(p, p->size) < 0) {
        mutex_unlock(&p->lock);
        l->result = -ENOMEM;
        l->finish(l);
        return;
    }
    list_insert(&p->laters, &l->node);
    unlock(p);
}

bool pipe_never_mind(struct pipe *p, struct pipe_later *l)
{
    bool found = false;

    mutex_lock(&p->lock);
    list_for_each (at, &p->laters) {
        found |= list_entry(at, struct pipe_later, node) == l;
    }
    if (found) {
        list_remove(&l->node);
    }
    mutex_unlock(&p->lock);
    return found;
}

/* ---- reading and writing ---- */

/* Waits until the pipe changes; p->lock is dropped meanwhile. */
static int wait_change(struct pipe *p)
{
    struct waiter w;

    waiter_init(&w);
    waitq_add(&p->waiters, &w);
    unlock(p);
    int r = thread_wait_helping(WAIT_FOREVER);

    waitq_remove(&w);
    mutex_lock(&p->lock);
    return r == -EINTR ? -ERESTARTSYS : 0;
}

static bool no_wait(const struct file *f, uint32_t flags)
{
    return file_nonblock(f) || (flags & RWF_NOWAIT) != 0;
}

static int64_t read_locked(struct pipe *p, struct iter *to, bool nowait)
{
    while (p->used == 0) {
        if (p->writers == 0) {
            return 0;
        }
        if (nowait) {
            return -EAGAIN;
        }
        int r = wait_change(p);

        if (r < 0) {
            return r;
        }
    }
    if (p->packets) {
        return read_packet(p, to);
    }
    uint32_t n = (uint32_t)MIN((uint64_t)p->used, to->left);
    uint32_t got = ring_get(p, to, n);

    return got == 0 && n > 0 ? -EFAULT : (int64_t)got;
}

static int64_t pipe_read(struct file *f, struct iter *to, uint64_t *pos, uint32_t flags)
{
    struct pipe *p = f->priv;

    if (to->left == 0) {
        return 0;
    }
    mutex_lock(&p->lock);
    int64_t n = read_locked(p, to, no_wait(f, flags));

    if (n > 0 && space_of(p) > 0) {
        waitq_wake_all(&p->waiters, EV_WRITE);
    }
    unlock(p);
    return n;
}

static int64_t write_locked(struct pipe *p, struct iter *from, bool nowait)
{
    int64_t done = 0;
    int r = ensure_room(p, p->size);

    if (r < 0) {
        return r;
    }
    while (from->left > 0) {
        if (p->readers == 0) {
            (void)signal_send_self(SIGPIPE_);
            return done > 0 ? done : -EPIPE;
        }
        int64_t n = write_some(p, from);

        if (n < 0) {
            return done > 0 ? done : n;
        }
        done += n;
        if (n > 0) {
            waitq_wake_all(&p->waiters, EV_READ);
            continue;
        }
        if (nowait) {
            return done > 0 ? done : -EAGAIN;
        }
        r = wait_change(p);
        if (r < 0) {
            return done > 0 ? done : r;
        }
    }
    return done;
}

static int64_t pipe_write(struct file *f, struct iter *from, uint64_t *pos, uint32_t flags)
{
    struct pipe *p = f->priv;

    if (from->left == 0) {
        return 0;
    }
    mutex_lock(&p->lock);
    int64_t n = write_locked(p, from, no_wait(f, flags));

    unlock(p);
    return n;
}

int64_t pipe_write_ahead(struct pipe *p, struct iter *from)
{
    int64_t n;

    mutex_lock(&p->lock);
    if (p->packets || from->left <= PIPE_BUF_ATOMIC || p->readers == 0) {
        n = write_locked(p, from, /*nowait=*/true);
    } else if (space_of(p) == 0) {
        n = -EAGAIN;
    } else {
        n = ensure_room(p, p->used + (uint32_t)from->left);
        n = n < 0 ? n : (int64_t)ring_put(p, from, (uint32_t)from->left);
        if (n > 0) {
            waitq_wake_all(&p->waiters, EV_READ);
        }
    }
    unlock(p);
    return n;
}

static uint32_t pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->priv;
    uint32_t ev = 0;

    poll_queue(pt, &p->waiters);
    mutex_lock(&p->lock);
    if ((f->mode & FILE_READ) != 0) {
        ev |= p->used > 0 ? EV_READ : 0;
        ev |= p->writers == 0 && p->writer_opens > 0 ? EV_HUP : 0;
    }
    if ((f->mode & FILE_WRITE) != 0) {
        ev |= space_of(p) >= PIPE_BUF_ATOMIC ? EV_WRITE : 0;
        ev |= p->readers == 0 ? EV_ERR : 0;
    }
    mutex_unlock(&p->lock);
    return ev;
}

static int64_t pipe_ioctl(struct file *f, uint32_t request, uint64_t arg)
{
    struct pipe *p = f->priv;

    if (request != FIONREAD) {
        return -ENOTTY;
    }
    int32_t n = (int32_t)pipe_pending(p);

    return user_put(arg, &n);
}

uint64_t pipe_writers(struct pipe *p)
{
    uint64_t n;

    mutex_lock(&p->lock);
    n = 2 * (uint64_t)p->writer_opens + (p->writers > 0 ? 1 : 0);
    mutex_unlock(&p->lock);
    return n;
}

uint64_t fifo_writers(struct inode *inode)
{
    struct pipe *p;
    uint64_t n = 0;

    spin_lock(&inode->meta);
    p = inode->object;
    if (p != NULL) {
        ref_get(&p->refs);
    }
    spin_unlock(&inode->meta);
    if (p != NULL) {
        n = pipe_writers(p);
        pipe_put(p);
    }
    return n;
}

uint32_t pipe_pending(struct pipe *p)
{
    uint32_t n;

    mutex_lock(&p->lock);
    n = p->used;
    mutex_unlock(&p->lock);
    return n;
}

static int pipe_set_flags(struct file *f, uint32_t flags)
{
    struct pipe *p = f->priv;

    if ((flags & O_DIRECT) != 0 && !p->packets) {
        mutex_lock(&p->lock);
        int r = p->used == 0 ? 0 : -EBUSY; /* bytes without lengths are in there */

        if (r == 0) {
            p->packets = true;
        }
        mutex_unlock(&p->lock);
        return r;
    }
    return 0;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->priv;

    mutex_lock(&p->lock);
    p->readers -= (f->mode & FILE_READ) != 0 ? 1 : 0;
    p->writers -= (f->mode & FILE_WRITE) != 0 ? 1 : 0;
    if (p->readers == 0 && p->writers == 0) { /* what nobody read is gone, as Linux's FIFOs do */
        p->used = 0;
        p->head = 0;
    }
    waitq_wake_all(&p->waiters, EV_READ | EV_WRITE | EV_HUP | EV_ERR);
    unlock(p);
    pipe_put(p);
}

static const struct file_ops g_pipe_ops = {
    .name = "pipe:[%lu]",
    .shared = true,
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .set_flags = pipe_set_flags,
    .release = pipe_release,
};

int pipe_create(uint32_t flags, struct file **ret_read, struct file **ret_write)
{
    struct pipe *p = pipe_new();
    struct file *rd = NULL;
    struct file *wr = NULL;

    if (p == NULL) {
        return -ENOMEM;
    }
    p->packets = (flags & O_DIRECT) != 0;
    p->nameless = true;
    int r = file_anonymous(&g_pipe_ops, S_IFIFO, O_RDONLY | flags, FILE_READ | FILE_STREAM, p, &rd);

    if (r < 0) {
        pipe_put(p);
        return r;
    }
    p->readers = 1;
    p->reader_opens = 1;
    rd->inode->object = p; /* /proc/self/fd/N opens the same pipe again */
    ref_get(&p->refs);
    r = file_on_inode(inode_get(rd->inode), rd->path.dentry->name, &g_pipe_ops, O_WRONLY | flags,
                      FILE_WRITE | FILE_STREAM, p, &wr);
    if (r < 0) {
        inode_put(rd->inode);
        file_put(rd);
        return r;
    }
    ref_get(&p->refs);
    p->writers = 1;
    p->writer_opens = 1;
    *ret_read = rd;
    *ret_write = wr;
    return 0;
}

/* The pipe of a FIFO's inode, made by whoever opens first. */
static struct pipe *fifo_pipe(struct inode *inode)
{
    struct pipe *fresh = pipe_new();
    struct pipe *p;

    if (fresh == NULL) {
        return NULL;
    }
    spin_lock(&inode->meta);
    if (inode->object == NULL) {
        inode->object = fresh;
        fresh = NULL;
    }
    p = inode->object;
    ref_get(&p->refs);
    spin_unlock(&inode->meta);
    pipe_put(fresh);
    return p;
}

/* Waits until the other side was opened since `seen`. */
static int wait_partner(struct pipe *p, const uint32_t *present, const uint32_t *opens,
                        uint32_t seen)
{
    while (*present == 0 && *opens == seen) {
        int r = wait_change(p);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int fifo_join(struct pipe *p, struct file *f)
{
    bool nowait = file_nonblock(f) || p->nameless;
    bool rd = (f->mode & FILE_READ) != 0;
    bool wr = (f->mode & FILE_WRITE) != 0;
    int r = 0;

    if (wr && !rd && nowait && !p->nameless && p->readers == 0) {
        return -ENXIO;
    }
    p->readers += rd ? 1 : 0;
    p->reader_opens += rd ? 1 : 0;
    p->writers += wr ? 1 : 0;
    p->writer_opens += wr ? 1 : 0;
    waitq_wake_all(&p->waiters, 0);
    if (rd && !wr && !nowait) {
        r = wait_partner(p, &p->writers, &p->writer_opens, p->writer_opens);
    } else if (wr && !rd && !p->nameless) {
        r = wait_partner(p, &p->readers, &p->reader_opens, p->reader_opens);
    }
    if (r < 0) {
        p->readers -= rd ? 1 : 0;
        p->writers -= wr ? 1 : 0;
        waitq_wake_all(&p->waiters, EV_HUP | EV_ERR);
    }
    return r;
}

int fifo_open(struct inode *inode, struct file *f)
{
    struct pipe *p = fifo_pipe(inode);

    if (p == NULL) {
        return -ENOMEM;
    }
    mutex_lock(&p->lock);
    int r = fifo_join(p, f);

    unlock(p);
    if (r < 0) {
        pipe_put(p);
        return r;
    }
    f->priv = p;
    f->ops = &g_pipe_ops;
    f->mode |= FILE_STREAM;
    return 0;
}

struct pipe *pipe_of(const struct file *f)
{
    return f->ops == &g_pipe_ops ? f->priv : NULL;
}

int64_t pipe_peek(struct pipe *p, void *dst, size_t size)
{
    int64_t r = -EAGAIN;

    mutex_lock(&p->lock);
    if (p->used > 0) {
        uint32_t n = (uint32_t)MIN((size_t)p->used, size);

        ring_peek(p, dst, n);
        r = n;
    } else if (p->writers == 0) {
        r = 0;
    }
    mutex_unlock(&p->lock);
    return r;
}

uint32_t pipe_size(const struct pipe *p)
{
    return p->size;
}

/* Powers of two from one page to PIPE_SIZE_MAX, rounded up, and never below what is in there. */
int64_t pipe_resize(struct pipe *p, uint64_t size)
{
    uint32_t want = NACRE_PAGE_SIZE;
    int64_t r;

    if (size > 1u << 31) {
        return -EINVAL;
    }
    while (want < size) {
        want *= 2;
    }
    if (want > PIPE_SIZE_MAX) {
        return -EPERM;
    }
    mutex_lock(&p->lock);
    if (p->used > want) {
        r = -EBUSY;
    } else if (ensure_room(p, want) < 0) {
        r = -ENOMEM;
    } else {
        r = want;
        p->size = want;
        waitq_wake_all(&p->waiters, EV_WRITE);
    }
    unlock(p);
    return r;
}
