/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * poll over a mix of objects. When something inside is ready, or nothing of the host is among them,
 * no exit happens; waiting with host descriptors is one exit (thread_wait_fds), which another
 * thread's wake interrupts.
 */

#include "libos/fs/poll.h"

#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define ALWAYS      (EV_ERR | EV_HUP | EV_NVAL)
#define BLOCK_SLOTS 8

/* Waiters must not move once they are queued: blocks of them. */
struct wait_block {
    struct wait_block *next;
    size_t used;
    struct waiter w[BLOCK_SLOTS];
};

struct collector {
    struct poll_table pt;
    struct wait_block first;
    struct wait_block *last;
    uint64_t until;
    bool failed;
};

static void collect_queue(struct poll_table *pt, struct waitq *q)
{
    struct collector *c = container_of(pt, struct collector, pt);
    struct wait_block *b = c->last;

    if (b->used == BLOCK_SLOTS) {
        b = kzalloc(sizeof(*b));
        if (b == NULL) {
            c->failed = true;
            return;
        }
        c->last->next = b;
        c->last = b;
    }
    struct waiter *w = &b->w[b->used++];

    waiter_init(w);
    waitq_add(q, w);
}

static void collect_until(struct poll_table *pt, uint64_t deadline)
{
    struct collector *c = container_of(pt, struct collector, pt);

    c->until = MIN(c->until, deadline);
}

static void collector_init(struct collector *c)
{
    c->pt = (struct poll_table){.queue = collect_queue, .until = collect_until};
    c->first.next = NULL;
    c->first.used = 0;
    c->last = &c->first;
    c->until = WAIT_FOREVER;
    c->failed = false;
}

static void collector_free(struct collector *c)
{
    for (struct wait_block *b = &c->first; b != NULL;) {
        struct wait_block *next = b->next;

        for (size_t i = 0; i < b->used; i++) {
            waitq_remove(&b->w[i]);
        }
        if (b != &c->first) {
            kfree(b);
        }
        b = next;
    }
}

struct host_set {
    struct host_pollfd *fds;
    size_t count;
    struct host_pollfd fast[4];
};

static int host_set_make(struct host_set *s, const struct poll_item *items, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        n += items[i].file != NULL && file_host_fd(items[i].file) >= 0 ? 1 : 0;
    }
    s->count = 0;
    s->fds = s->fast;
    if (n > ARRAY_COUNT(s->fast)) {
        s->fds = kmalloc(n * sizeof(s->fds[0]));
    }
    if (s->fds == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count && s->count < n; i++) {
        int fd = items[i].file == NULL ? -1 : file_host_fd(items[i].file);

        if (fd >= 0) {
            s->fds[s->count++] =
                (struct host_pollfd){.fd = fd, .events = (int16_t)(items[i].events & 0x7fff)};
        }
    }
    return 0;
}

static void host_set_free(struct host_set *s)
{
    if (s->fds != s->fast) {
        kfree(s->fds);
    }
}

/* What is known inside; `pt` registers. Number of ready items. */
static int scan(struct poll_item *items, size_t count, struct poll_table *pt)
{
    int ready = 0;

    for (size_t i = 0; i < count; i++) {
        if (items[i].file == NULL) {
            ready += items[i].revents != 0 ? 1 : 0;
            continue;
        }
        items[i].revents = file_poll(items[i].file, pt) & (items[i].events | ALWAYS);
        ready += items[i].revents != 0 ? 1 : 0;
    }
    return ready;
}

/* Adds what the host said; the set was made from these items in this order. */
static int merge(struct poll_item *items, size_t count, const struct host_set *s)
{
    int ready = 0;
    size_t h = 0;

    for (size_t i = 0; i < count; i++) {
        if (items[i].file != NULL && h < s->count && file_host_fd(items[i].file) >= 0) {
            items[i].revents |= (uint32_t)(uint16_t)s->fds[h].revents & (items[i].events | ALWAYS);
            h++;
        }
        ready += items[i].revents != 0 ? 1 : 0;
    }
    return ready;
}

static int ask_host(struct poll_item *items, size_t count, struct host_set *s, int ready)
{
    if (s->count == 0) {
        return ready;
    }
    int r = host_poll(s->fds, s->count, 0);

    return r <= 0 ? ready : merge(items, count, s);
}

static int wait_loop(struct poll_item *items, size_t count, struct host_set *s, uint64_t deadline,
                     struct collector *c)
{
    int ready = scan(items, count, &c->pt);

    if (c->failed) {
        return -ENOMEM;
    }
    while (ready == 0) {
        uint64_t until = MIN(deadline, c->until);
        int r = s->count == 0 ? thread_wait(until) : thread_wait_fds(s->fds, s->count, until);

        c->until = WAIT_FOREVER;
        /* timers say anew when they are next due; the queues are registered already */
        c->pt.queue = NULL;
        ready = scan(items, count, &c->pt);
        if (r == 0 && s->count > 0) {
            ready = merge(items, count, s);
        }
        if (ready > 0) {
            break;
        }
        if (r < 0 && r != -ETIMEDOUT) {
            return r;
        }
        if (r == -ETIMEDOUT && deadline != WAIT_FOREVER &&
            clock_now(/*CLOCK_MONOTONIC*/ 1) >= deadline) {
            break;
        }
    }
    return ready;
}

int poll_items(struct poll_item *items, size_t count, uint64_t deadline)
{
    struct collector c;
    struct host_set s;
    int r = host_set_make(&s, items, count);

    if (r < 0) {
        return r;
    }
    r = scan(items, count, NULL);
    if (r > 0 || deadline == 0) {
        r = ask_host(items, count, &s, r);
    } else {
        collector_init(&c);
        r = wait_loop(items, count, &s, deadline, &c);
        collector_free(&c);
    }
    host_set_free(&s);
    return r;
}

int file_wait(struct file *f, uint32_t events, uint64_t deadline)
{
    struct poll_item item = {.file = f, .events = events};
    int r = poll_items(&item, 1, deadline);

    if (r == 0) {
        return -EAGAIN;
    }
    return r == -EINTR ? -ERESTARTSYS : MIN(r, 0);
}
