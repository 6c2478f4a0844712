/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * epoll over anything. Objects inside tell their items through waiter callbacks, which put the item
 * on the ready list: epoll_wait with something ready costs no exit. Host descriptors are mirrored
 * in one host epoll (level- or edge-triggered as asked, so that the host keeps that state), and one
 * thread at a time, the leader, sleeps in it together with its own wake descriptor: a blocking
 * epoll_wait is one exit. Followers sleep inside and are woken when there is something for them.
 *
 * Most programs have one thread that waits and reads. For those the host reads while it is at it
 * (epoll_read): the data of a stream comes with its event, and the recv that follows costs no exit.
 * An epoll has an owner for that, the first thread to put a stream into it. As soon as another one
 * reads from, waits for, closes or moves any of its streams, the owner is called out of the host
 * and the epoll never reads again: nobody may overtake data that is on its way inside.
 *
 * What the host may lie about: which descriptors are ready. Every event's `data` is looked up and
 * must be a live item; bits that were not asked for are dropped; a false event costs the
 * application a call that returns EAGAIN.
 */

#include "libos/family/remote.h"
#include "libos/fs/epoll_internal.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define NEST_MAX 5

static const struct file_ops g_epoll_ops;

struct epoll *epoll_of(const struct file *f)
{
    return f->ops == &g_epoll_ops ? f->priv : NULL;
}

/* ---- ready list ---- */

void epoll_item_ready(struct item *it)
{
    struct epoll *ep = it->ep;

    spin_lock(&ep->ready_lock);
    if (!it->on_ready) {
        it->on_ready = true;
        list_insert(&ep->ready, &it->ready_node);
    }
    spin_unlock(&ep->ready_lock);
}

static struct item *item_of_waiter(struct waiter *w)
{
    /* `thread` is unused for waiters with a callback: it carries the item */
    return (struct item *)(void *)w->thread;
}

/* Called under the object's queue lock. */
static void item_notify(struct waiter *w, uint32_t events)
{
    struct item *it = item_of_waiter(w);

    if ((it->events & ~MODES) == 0 ||
        (events != 0 && (events & ((it->events & ~MODES) | ALWAYS)) == 0)) {
        return;
    }
    epoll_item_ready(it);
    if ((it->events & (uint32_t)EPOLLEXCLUSIVE) != 0) {
        (void)waitq_wake(&it->ep->waiters, 1, EV_READ);
    } else {
        waitq_wake_all(&it->ep->waiters, EV_READ);
    }
}

struct item_table {
    struct poll_table pt;
    struct item *it;
};

static void item_queue(struct poll_table *pt, struct waitq *q)
{
    struct item *it = container_of(pt, struct item_table, pt)->it;

    if (it->queue_count < QUEUES_MAX) {
        struct waiter *w = &it->waiters[it->queue_count++];

        waiter_init(w);
        w->thread = (struct thread *)(void *)it;
        w->notify = item_notify;
        waitq_add(q, w);
    }
}

static void item_until(struct poll_table *pt, uint64_t deadline)
{
    struct item *it = container_of(pt, struct item_table, pt)->it;

    it->until = MIN(it->until, deadline);
    it->ep->next_timer = MIN(it->ep->next_timer, deadline);
}

/* What holds now for an item; `attach` registers its queues as well. */
uint32_t epoll_item_poll(struct item *it, bool attach)
{
    struct item_table t = {.it = it};

    t.pt.queue = attach ? item_queue : NULL;
    t.pt.until = item_until;
    it->until = WAIT_FOREVER;
    const uint32_t asked = (it->events & ~MODES) | ALWAYS;

    it->inside = file_poll(it->file, &t.pt) & asked;
    return it->inside | (it->host_events & asked);
}

/* ---- host mirror ---- */

static int mirror_open(struct epoll *ep)
{
    if (ep->host_fd < 0) {
        int fd = host_epoll_create();

        if (fd < 0) {
            return fd;
        }
        ep->host_fd = fd;
    }
    return 0;
}

static uint32_t mirror_events(const struct item *it)
{
    return it->events & ~((uint32_t)EPOLLEXCLUSIVE | (uint32_t)EPOLLWAKEUP);
}

static uint64_t mirror_data(const struct item *it)
{
    return it->stream ? EPOLL_READ_STREAM | (uint64_t)it->host_fd << EPOLL_READ_FD_SHIFT | it->id
                      : it->id;
}

static int mirror_add(struct item *it)
{
    if (it->host_fd < 0) {
        return 0;
    }
    int r = mirror_open(it->ep);

    if (r == 0) {
        r = host_epoll_ctl(it->ep->host_fd, EPOLL_CTL_ADD, it->host_fd, mirror_events(it),
                           mirror_data(it));
    }
    if (r == 0) {
        it->ep->host_items++;
    }
    return r;
}

static void mirror_remove(struct item *it)
{
    if (it->host_fd >= 0) {
        (void)host_epoll_ctl(it->ep->host_fd, EPOLL_CTL_DEL, it->host_fd, 0, 0);
        it->ep->host_items--;
    }
}

/* ---- items ---- */

/* Under g_close_lock, which guards the file's list: one item for each epoll and descriptor the file
 * is in, while an epoll may watch tens of thousands of files. */
static struct item *item_find(const struct epoll *ep, const struct file *f, int fd)
{
    list_for_each (n, &f->epoll_items) {
        struct item *it = list_entry(n, struct item, file_node);

        if (it->ep == ep && it->fd == fd) {
            return it;
        }
    }
    return NULL;
}

struct item *epoll_item_by_id(struct epoll *ep, uint64_t id)
{
    struct item *it = ep->bucket[id % ITEM_BUCKETS];

    while (it != NULL && it->id != id) {
        it = it->id_next;
    }
    return it;
}

/* Under ep->lock: takes an item out of everything and frees it. The file's list is the caller's. */
static void item_destroy(struct item *it)
{
    struct epoll *ep = it->ep;

    for (uint32_t i = 0; i < it->queue_count; i++) {
        waitq_remove(&it->waiters[i]);
    }
    mirror_remove(it);
    spin_lock(&ep->ready_lock);
    if (it->on_ready) {
        list_remove(&it->ready_node);
        it->on_ready = false;
    }
    spin_unlock(&ep->ready_lock);
    struct item **link = &ep->bucket[it->id % ITEM_BUCKETS];

    while (*link != it) {
        link = &(*link)->id_next;
    }
    *link = it->id_next;
    list_remove(&it->node);
    (void)__atomic_sub_fetch(&ep->item_count, 1, __ATOMIC_RELAXED);
    kfree(it);
}

/* Every epoll there is, for fork; g_close_lock. */
static struct list g_all = {&g_all, &g_all};

/* Closing races with epoll_ctl(DEL) and with the epoll's own end: one lock orders all three. */
static struct mutex g_close_lock;

/* Under both locks: no data is on its way when this returns. `ep` lives as long as g_close_lock is
 * held; its lock is let go meanwhile. */
static void call_out(struct epoll *ep)
{
    while (ep->reading && ep->leader != thread_current()) {
        thread_wake(ep->leader);
        mutex_unlock(&ep->lock);
        host_yield();
        mutex_lock(&ep->lock);
    }
}

/* The same for good: somebody else than the owner is about. */
static void settle(struct epoll *ep)
{
    if (ep->reading && ep->leader != thread_current()) {
        ep->no_reads = true;
        call_out(ep);
    }
}

/* Under g_close_lock: no epoll reads from this file any more. */
static void disown_locked(struct file *f)
{
    list_for_each (n, &f->epoll_items) {
        struct epoll *ep = list_entry(n, struct item, file_node)->ep;

        mutex_lock(&ep->lock);
        ep->no_reads = true;
        settle(ep);
        mutex_unlock(&ep->lock);
    }
    if (f->ops->watch != NULL) {
        (void)f->ops->watch(f, 0);
    }
}

void epoll_disown(struct file *f)
{
    mutex_lock(&g_close_lock);
    disown_locked(f);
    mutex_unlock(&g_close_lock);
}

/* Under both locks, when an item is made: may the host read from it? */
static bool own(struct epoll *ep, struct item *it)
{
    const int32_t self = thread_current()->tid;

    if (it->host_fd < 0 || it->host_fd >= EPOLL_READ_FD_MAX || it->file->ops->watch == NULL) {
        return false;
    }
    if (ep->owner == 0) {
        ep->owner = self;
    }
    if (ep->owner != self) {
        ep->no_reads = true;
        settle(ep);
    }
    return !ep->no_reads && it->file->ops->watch(it->file, self);
}

void epoll_file_closed(struct file *f)
{
    mutex_lock(&g_close_lock);
    while (!list_empty(&f->epoll_items)) {
        struct item *it = list_entry(f->epoll_items.next, struct item, file_node);
        struct epoll *ep = it->ep;

        mutex_lock(&ep->lock);
        settle(ep);
        list_remove(&it->file_node);
        item_destroy(it);
        mutex_unlock(&ep->lock);
    }
    mutex_unlock(&g_close_lock);
}

static uint32_t depth_of(const struct file *f)
{
    const struct epoll *ep = epoll_of(f);

    return ep == NULL ? 0 : ep->depth + 1;
}

/* True when `ep` can be reached from `f` through epolls: adding f to ep would close a circle. */
static bool reaches(const struct file *f, const struct epoll *ep, uint32_t left)
{
    struct epoll *inner = epoll_of(f);

    if (inner == NULL) {
        return false;
    }
    if (inner == ep || left == 0) {
        return true;
    }
    list_for_each (n, &inner->items) {
        if (reaches(list_entry(n, struct item, node)->file, ep, left - 1)) {
            return true;
        }
    }
    return false;
}

static bool pollable(const struct file *f)
{
    return f->ops->poll != NULL && f->ops != &inode_file_ops;
}

/* Host items may come into an epoll after it was put into another: its mirror must be there. */
static int nest(struct epoll *inner)
{
    mutex_lock(&inner->lock);
    int r = mirror_open(inner);

    inner->nested = r == 0;
    mutex_unlock(&inner->lock);
    return r;
}

static int ctl_add(struct epoll *ep, struct file *f, int fd, const struct epoll_event *ev)
{
    if (item_find(ep, f, fd) != NULL) {
        return -EEXIST;
    }
    if (depth_of(f) >= NEST_MAX || reaches(f, ep, NEST_MAX)) {
        return -ELOOP;
    }
    struct item *it = kzalloc(sizeof(*it));

    if (it == NULL) {
        return -ENOMEM;
    }
    it->ep = ep;
    it->file = f;
    it->fd = fd;
    it->id = ++ep->next_id;
    it->data = ev->data;
    it->events = ev->events;
    int r = epoll_of(f) == NULL ? 0 : nest(epoll_of(f));

    it->host_fd = file_host_fd(f);
    it->until = WAIT_FOREVER;
    list_init(&it->ready_node);
    list_init(&it->file_node);
    if (r == 0) {
        it->stream = own(ep, it);
        r = mirror_add(it);
    }
    if (r < 0) {
        kfree(it);
        return r;
    }
    it->id_next = ep->bucket[it->id % ITEM_BUCKETS];
    ep->bucket[it->id % ITEM_BUCKETS] = it;
    list_insert(&ep->items, &it->node);
    (void)__atomic_add_fetch(&ep->item_count, 1, __ATOMIC_RELAXED);
    list_insert(&f->epoll_items, &it->file_node);
    ep->depth = MAX(ep->depth, depth_of(f));
    if (epoll_item_poll(it, /*attach=*/true) != 0) {
        epoll_item_ready(it);
        waitq_wake_all(&ep->waiters, EV_READ);
    }
    if (it->until != WAIT_FOREVER) { /* sleepers must learn of the new deadline */
        waitq_wake_all(&ep->waiters, 0);
    }
    return 0;
}

static int ctl_modify(struct epoll *ep, struct item *it, const struct epoll_event *ev)
{
    if ((it->events & (uint32_t)EPOLLEXCLUSIVE) != 0) {
        return -EINVAL;
    }
    it->events = ev->events;
    it->data = ev->data;
    it->host_events = 0;
    if (it->host_fd >= 0) {
        int r = host_epoll_ctl(ep->host_fd, EPOLL_CTL_MOD, it->host_fd, mirror_events(it),
                               mirror_data(it));

        if (r < 0) {
            return r;
        }
    }
    if (epoll_item_poll(it, /*attach=*/false) != 0) {
        epoll_item_ready(it);
    }
    waitq_wake_all(&ep->waiters, EV_READ);
    return 0;
}

int epoll_control(struct file *epf, int op, int fd, struct file *f, const struct epoll_event *ev)
{
    struct epoll *ep = epoll_of(epf);
    int r = 0;

    if (ep == NULL || f == epf) {
        return -EINVAL;
    }
    if (!pollable(f)) {
        return -EPERM;
    }
    if (op != EPOLL_CTL_DEL && (ev->events & (uint32_t)EPOLLEXCLUSIVE) != 0) {
        const uint32_t ok = EV_IN | EV_OUT | EV_ERR | EV_HUP | MODES;

        if (op == EPOLL_CTL_MOD || (ev->events & ~ok) != 0 ||
            (ev->events & (uint32_t)EPOLLONESHOT) != 0 || epoll_of(f) != NULL) {
            return -EINVAL;
        }
    }
    mutex_lock(&g_close_lock);
    if (op == EPOLL_CTL_ADD && !list_empty(&f->epoll_items)) {
        disown_locked(f); /* two epolls, or two descriptors of one file */
    }
    mutex_lock(&ep->lock);
    struct item *it = item_find(ep, f, fd);

    if (op != EPOLL_CTL_ADD) {
        settle(ep);
    }
    switch (op) {
    case EPOLL_CTL_ADD: r = ctl_add(ep, f, fd, ev); break;
    case EPOLL_CTL_DEL:
        if (it == NULL) {
            r = -ENOENT;
        } else {
            list_remove(&it->file_node);
            item_destroy(it);
        }
        break;
    case EPOLL_CTL_MOD: r = it == NULL ? -ENOENT : ctl_modify(ep, it, ev); break;
    default: r = -EINVAL; break;
    }
    mutex_unlock(&ep->lock);
    mutex_unlock(&g_close_lock);
    return r;
}

uint32_t epoll_item_count(const struct file *f)
{
    const struct epoll *ep = epoll_of(f);

    return ep == NULL ? 0 : __atomic_load_n(&ep->item_count, __ATOMIC_RELAXED);
}

/* ---- the file: an epoll can be polled itself ---- */

/* Timers among the items: those that are due become ready; returns when the next will be. */
uint64_t epoll_check_timers(struct epoll *ep)
{
    uint64_t next = WAIT_FOREVER;
    uint64_t now;

    if (ep->next_timer == WAIT_FOREVER) {
        return WAIT_FOREVER;
    }
    now = clock_monotonic();
    if (now < ep->next_timer) {
        return ep->next_timer;
    }

    list_for_each (n, &ep->items) {
        struct item *it = list_entry(n, struct item, node);

        if (it->until == WAIT_FOREVER) {
            continue;
        }
        if (it->until <= now) {
            if (epoll_item_poll(it, /*attach=*/false) != 0) {
                epoll_item_ready(it);
            }
        }
        next = MIN(next, it->until);
    }
    ep->next_timer = next;
    return next;
}

static uint32_t epoll_poll(struct file *f, struct poll_table *pt)
{
    struct epoll *ep = f->priv;
    uint32_t ev = 0;

    poll_queue(pt, &ep->waiters);
    mutex_lock(&ep->lock);
    (void)epoll_check_timers(ep);
    list_for_each (n, &ep->items) {
        struct item *it = list_entry(n, struct item, node);

        if (it->on_ready && epoll_item_poll(it, /*attach=*/false) != 0) {
            ev = EV_READ;
            break;
        }
    }
    const uint64_t timer = epoll_check_timers(ep); /* looking can have found one */

    if (timer != WAIT_FOREVER) {
        poll_until(pt, timer);
    }
    mutex_unlock(&ep->lock);
    return ev;
}

/* Waiting for an epoll with host descriptors is waiting for its mirror. */
static int epoll_host_fd(const struct file *f)
{
    const struct epoll *ep = f->priv;

    return ep->host_items > 0 || ep->nested ? ep->host_fd : -1;
}

static void epoll_release(struct file *f)
{
    struct epoll *ep = f->priv;

    mutex_lock(&g_close_lock);
    mutex_lock(&ep->lock);
    list_remove(&ep->all_node);
    while (!list_empty(&ep->items)) {
        struct item *it = list_entry(ep->items.next, struct item, node);

        list_remove(&it->file_node);
        item_destroy(it);
    }
    mutex_unlock(&ep->lock);
    mutex_unlock(&g_close_lock);
    if (ep->host_fd >= 0) {
        (void)host_close(ep->host_fd);
    }
    kfree(ep);
}

static void epoll_fdinfo(struct file *f, struct strbuf *out)
{
    struct epoll *ep = f->priv;

    mutex_lock(&ep->lock);
    list_for_each (n, &ep->items) {
        const struct item *it = list_entry(n, struct item, node);

        strbuf_printf(out, "tfd: %8d events: %8x data: %16lx\n", it->fd, it->events, it->data);
    }
    mutex_unlock(&ep->lock);
}

static const struct file_ops g_epoll_ops = {
    .name = "anon_inode:[eventpoll]",
    .poll = epoll_poll,
    .seek = file_seek_nothing,
    .host_fd = epoll_host_fd,
    .fdinfo = epoll_fdinfo,
    .release = epoll_release,
};

int epoll_create_file(struct file **ret)
{
    struct epoll *ep = kzalloc(sizeof(*ep));

    if (ep == NULL) {
        return -ENOMEM;
    }
    list_init(&ep->items);
    list_init(&ep->ready);
    waitq_init(&ep->waiters);
    ep->host_fd = -1;
    ep->leader_wake_fd = -1;
    ep->next_timer = WAIT_FOREVER;
    int r = file_anonymous(&g_epoll_ops, 0, O_RDWR, FILE_READ | FILE_WRITE | FILE_STREAM, ep, ret);

    if (r < 0) {
        kfree(ep);
        return r;
    }
    mutex_lock(&g_close_lock);
    list_insert(&g_all, &ep->all_node);
    mutex_unlock(&g_close_lock);
    return 0;
}

/* ---- fork ---- */

/* A stream that two processes have is read when one of them asks. What came before stays with the
 * parent: the child has other things to do with a connection its parent is reading from. */
static void share_streams(struct epoll *ep)
{
    call_out(ep);
    list_for_each (n, &ep->items) {
        struct item *it = list_entry(n, struct item, node);

        if (!it->stream) {
            continue;
        }
        it->stream = false;
        (void)it->file->ops->watch(it->file, 0);
        if ((it->events & ~MODES) != 0 && host_epoll_ctl(ep->host_fd, EPOLL_CTL_MOD, it->host_fd,
                                                         mirror_events(it), it->id) < 0) {
            ep->no_reads = true;
        }
    }
}

void epoll_fork_prepare(void)
{
    if (thread_current()->process->vfork != NULL) {
        return; /* it only executes a program: what that inherits nobody here reads from */
    }
    mutex_lock(&g_close_lock);
    list_for_each (n, &g_all) {
        struct epoll *ep = list_entry(n, struct epoll, all_node);

        mutex_lock(&ep->lock);
        share_streams(ep);
        mutex_unlock(&ep->lock);
    }
    mutex_unlock(&g_close_lock);
}

static void attach_again(struct item *it)
{
    for (uint32_t i = 0; i < it->queue_count; i++) {
        waitq_remove(&it->waiters[i]);
    }
    it->queue_count = 0;
    if (epoll_item_poll(it, /*attach=*/true) != 0) {
        epoll_item_ready(it);
        waitq_wake_all(&it->ep->waiters, EV_READ);
    }
}

void epoll_files_turned(void)
{
    list_for_each (n, &g_all) {
        struct epoll *ep = list_entry(n, struct epoll, all_node);

        list_for_each (m, &ep->items) {
            struct item *it = list_entry(m, struct item, node);

            if (remote_is_file(it->file) || remote_sock_handle(it->file) != 0) {
                attach_again(it);
            }
        }
    }
}

static void mirror_again(struct epoll *ep)
{
    if (ep->nested && mirror_open(ep) < 0) {
        libos_log(LOG_WARNING, "fork: an epoll lost its place at the host");
    }
    list_for_each (n, &ep->items) {
        struct item *it = list_entry(n, struct item, node);

        it->stream = false;
        it->host_fd = it->file->ops->host_fd == NULL ? -1 : it->file->ops->host_fd(it->file);
        it->host_events = 0;
        if (mirror_add(it) < 0) {
            it->host_fd = -1; /* the descriptor was not inherited: never ready */
        }
    }
}

void epoll_after_fork(void)
{
    list_for_each (n, &g_all) {
        struct epoll *ep = list_entry(n, struct epoll, all_node);

        if (ep->host_fd >= 0) {
            (void)host_close(ep->host_fd);
            ep->host_fd = -1;
        }
        ep->host_items = 0;
        ep->leader_wake_fd = -1;
        ep->leader_tid = 0;
        ep->leader = NULL;
        ep->reading = false;
        ep->owner = 0; /* threads have new numbers */
        ep->unasked = 0;
    }
    /* Inner ones first: their mirror is what the outer ones watch. */
    for (uint32_t depth = 0; depth <= NEST_MAX; depth++) {
        list_for_each (n, &g_all) {
            struct epoll *ep = list_entry(n, struct epoll, all_node);

            if (ep->depth == depth) {
                mirror_again(ep);
            }
        }
    }
}
