/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Waiting for readiness. A file's poll operation returns what holds now and, given a poll table,
 * says what may change it: queues inside, host descriptors whose readiness only the host knows,
 * and moments (timers need no thread of their own: whoever waits for them wakes up in time).
 */

#include <linux/eventpoll.h>

#include "libos/fs/file.h"

/* The event bits as plain numbers, usable for poll(2) and epoll alike. */
#define EV_IN     0x0001u
#define EV_PRI    0x0002u
#define EV_OUT    0x0004u
#define EV_ERR    0x0008u
#define EV_HUP    0x0010u
#define EV_NVAL   0x0020u
#define EV_RDNORM 0x0040u
#define EV_RDBAND 0x0080u
#define EV_WRNORM 0x0100u
#define EV_WRBAND 0x0200u
#define EV_RDHUP  0x2000u
#define EV_READ   (EV_IN | EV_RDNORM)
#define EV_WRITE  (EV_OUT | EV_WRNORM)

struct poll_table {
    /* One of these per table; called by the helpers below. */
    void (*queue)(struct poll_table *pt, struct waitq *q);
    void (*until)(struct poll_table *pt, uint64_t deadline); /* monotonic ns */
};

static inline void poll_queue(struct poll_table *pt, struct waitq *q)
{
    if (pt != NULL && pt->queue != NULL) {
        pt->queue(pt, q);
    }
}

static inline void poll_until(struct poll_table *pt, uint64_t deadline)
{
    if (pt != NULL && pt->until != NULL) {
        pt->until(pt, deadline);
    }
}

/* The host descriptor behind a file, or -1 when its readiness is known inside. */
static inline int file_host_fd(const struct file *f)
{
    return f->ops->host_fd == NULL ? -1 : f->ops->host_fd(f);
}

/* Waits until `f` may have become ready for `events`, the deadline passes (-EAGAIN), or a signal
 * comes (-ERESTARTSYS). What blocking reads and writes loop around. */
[[nodiscard]] int file_wait(struct file *f, uint32_t events, uint64_t deadline);

/* One descriptor of poll(2). */
struct poll_item {
    struct file *file; /* NULL: not to be looked at */
    uint32_t events;
    uint32_t revents;
};
/* Waits until some item is ready, the deadline (0: do not wait) passes, or a signal comes. Number
 * of ready items, or -EINTR, -ENOMEM. */
[[nodiscard]] int poll_items(struct poll_item *items, size_t count, uint64_t deadline);

/* Closing: takes the file out of every epoll. */
void epoll_file_closed(struct file *f);
