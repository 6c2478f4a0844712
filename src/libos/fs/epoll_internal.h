/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between epoll.c and epoll_wait.c: an epoll and its items. */

#include "abi/hostcall.h"
#include "libos/fs/epoll.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/proc/thread.h"

#define QUEUES_MAX   3 /* wait queues one object can name */
#define ITEM_BUCKETS 256u
#define ALWAYS       (EV_ERR | EV_HUP)
#define MODES \
    ((uint32_t)EPOLLET | (uint32_t)EPOLLONESHOT | (uint32_t)EPOLLEXCLUSIVE | (uint32_t)EPOLLWAKEUP)

struct epoll {
    struct list all_node; /* g_all */
    struct mutex lock;    /* items; taken before any item's queue lock is */
    struct spinlock ready_lock;
    struct list items;                 /* struct item.node */
    struct list ready;                 /* struct item.ready_node; ready_lock */
    struct waitq waiters;              /* epoll_wait callers and outer polls */
    struct item *bucket[ITEM_BUCKETS]; /* by id; lock */
    uint64_t next_id;
    uint32_t item_count; /* written under lock, read without */
    uint32_t host_items;
    int host_fd;            /* the mirror; -1: none */
    int32_t leader_wake_fd; /* registered in the mirror; -1: none */
    int32_t leader_tid;     /* whose it is: a descriptor number alone may be used again */
    uint64_t next_timer;    /* no timer among the items is due before; lock */
    uint32_t unasked;       /* waits served from inside since the host was last asked */
    int32_t owner;          /* tid; 0: none yet */
    bool no_reads;          /* not one thread alone */
    bool reading;           /* the owner is in the host and data may be on its way */
    bool nested;            /* inside another epoll: the mirror exists for good */
    struct thread *leader;
    uint32_t depth; /* of epolls inside: 0, 1 … */
};

struct item {
    struct list node;       /* epoll.items */
    struct list ready_node; /* epoll.ready */
    struct list file_node;  /* file.epoll_items; g_close_lock */
    struct item *id_next;
    struct epoll *ep;
    struct file *file; /* not a reference: closing takes the item away first */
    int fd;
    uint64_t id;
    uint64_t data;
    uint32_t events;      /* asked for, with ET, ONESHOT … ; 0 events: disarmed */
    uint32_t host_events; /* what the host last reported and nobody took */
    int host_fd;
    bool on_ready;
    bool stream;     /* the host may read from it */
    uint32_t inside; /* of the last look: what held without the host's word */
    uint64_t until;  /* when a timer will be ready */
    uint32_t queue_count;
    struct waiter waiters[QUEUES_MAX];
};

/* ---- epoll.c ---- */

/* NULL: not an epoll. */
struct epoll *epoll_of(const struct file *f);
/* Puts an item on the ready list, once. */
void epoll_item_ready(struct item *it);
/* What holds now for an item; `attach` registers its queues as well. */
uint32_t epoll_item_poll(struct item *it, bool attach);
/* Under ep->lock; NULL: none. The number may be the host's. */
struct item *epoll_item_by_id(struct epoll *ep, uint64_t id);
/* Timers among the items: those that are due become ready; returns when the next will be. */
uint64_t epoll_check_timers(struct epoll *ep);
