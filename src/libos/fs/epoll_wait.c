/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Waiting for an epoll: what is ready inside is taken first; else one thread, the leader, sleeps in
 * the host's mirror and the others inside (the whole of it: epoll.c).
 */

#include "libos/fs/epoll_internal.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define EVENTS_AT_ONCE 64
#define UNASKED_MAX    16u
#define ID_LIMIT       (1ull << EPOLL_READ_FD_SHIFT)
#define WAKE_DATA      0ull /* in the host epoll: the leader's wake descriptor; items start at 1 */

/* Moves all of `from` before `at`: to the end when that is the head, to the front when it is the
 * first. */
static void splice(struct list *from, struct list *at)
{
    if (!list_empty(from)) {
        from->next->prev = at->prev;
        at->prev->next = from->next;
        from->prev->next = at;
        at->prev = from->prev;
        list_init(from);
    }
}

/* One item off `todo`: false when that is empty. From here on a notification puts it on ep->ready.
 */
static bool take_item(struct epoll *ep, struct list *todo, struct item **ret)
{
    spin_lock(&ep->ready_lock);
    const bool any = !list_empty(todo);

    if (any) {
        *ret = list_entry(todo->next, struct item, ready_node);
        list_remove(&(*ret)->ready_node);
        (*ret)->on_ready = false;
    }
    spin_unlock(&ep->ready_lock);
    return any;
}

/* Takes what is ready, each item once: one that becomes ready meanwhile is for the next call.
 * Level-triggered items go back to the end of the list. Under ep->lock. */
static int harvest(struct epoll *ep, struct epoll_event *out, int max)
{
    struct list todo;
    struct item *it;
    int n = 0;

    list_init(&todo);
    spin_lock(&ep->ready_lock);
    splice(&ep->ready, &todo);
    spin_unlock(&ep->ready_lock);
    while (n < max && take_item(ep, &todo, &it)) {
        uint32_t events = epoll_item_poll(it, /*attach=*/false);

        it->host_events = 0;
        if ((it->events & ~MODES) == 0 || events == 0) {
            continue;
        }
        out[n++] = (struct epoll_event){.events = events, .data = it->data};
        if ((it->events & (uint32_t)EPOLLONESHOT) != 0) {
            it->events &= MODES; /* disarmed until EPOLL_CTL_MOD; the host's copy disarmed itself */
        } else if ((it->events & (uint32_t)EPOLLET) == 0 && (it->host_fd < 0 || it->inside != 0)) {
            epoll_item_ready(it);
        }
    }
    spin_lock(&ep->ready_lock);
    splice(&todo, ep->ready.next); /* what did not fit goes first next time */
    spin_unlock(&ep->ready_lock);
    return n;
}

struct host_sleep {
    struct epoll *ep;
    struct epoll_event events[EVENTS_AT_ONCE];
    struct host_arrival arrivals[EVENTS_AT_ONCE];
    bool reads;
    int max;
    int count;
};

/* Under ep->lock: may the current thread have the host read? */
static bool may_read(const struct epoll *ep)
{
    return !ep->no_reads && ep->owner == thread_current()->tid;
}

static void ask_host(struct host_sleep *s, int64_t timeout_ns)
{
    s->count = s->reads ? host_epoll_read(s->ep->host_fd, s->events, s->arrivals, (size_t)s->max,
                                          timeout_ns)
                        : host_epoll_wait(s->ep->host_fd, s->events, (size_t)s->max, timeout_ns);
}

/* A wake that came too late for the wait it was meant for: left readable it would end every wait
 * to come. One that is meant for this wait is drained by thread_wait_host. */
static void drain_stale(int wake_fd)
{
    uint64_t drained;

    if (__atomic_load_n(&thread_current()->wake_token, __ATOMIC_ACQUIRE) == 0) {
        (void)!host_read(wake_fd, &drained, sizeof(drained));
    }
}

/* Registers the leader's wake descriptor and sleeps: one exit in the steady state. */
static int leader_sleep(void *arg, int wake_fd, int64_t timeout_ns)
{
    struct host_sleep *s = arg;
    struct epoll *ep = s->ep;

    if (ep->leader_wake_fd != wake_fd || ep->leader_tid != thread_current()->tid) {
        if (ep->leader_wake_fd >= 0) {
            (void)host_epoll_ctl(ep->host_fd, EPOLL_CTL_DEL, ep->leader_wake_fd, 0, 0);
            ep->leader_wake_fd = -1;
        }
        int r = host_epoll_ctl(ep->host_fd, EPOLL_CTL_ADD, wake_fd, EV_IN, WAKE_DATA);

        if (r < 0 && r != -EEXIST) {
            return r;
        }
        ep->leader_wake_fd = wake_fd;
        ep->leader_tid = thread_current()->tid;
    }
    ask_host(s, timeout_ns);
    for (int i = 0; i < s->count; i++) {
        if (s->events[i].data == WAKE_DATA) {
            drain_stale(wake_fd);
            return 1;
        }
    }
    return s->count == -EINTR ? 0 : MIN(s->count, 0);
}

/* The host's claims become ready items. Under ep->lock. */
static void take_host_events(struct epoll *ep, const struct host_sleep *s)
{
    for (int i = 0; i < s->count; i++) {
        struct item *it = epoll_item_by_id(ep, s->events[i].data & (ID_LIMIT - 1));
        const struct host_arrival a = s->reads ? s->arrivals[i] : (struct host_arrival){};

        if (it == NULL || it->host_fd < 0 || (a.size != 0 && !it->stream)) {
            kfree(a.data);
            continue;
        }
        if (a.size != 0) {
            it->file->ops->arrived(it->file, a.data, a.size);
        }
        it->host_events |= s->events[i].events & ((it->events & ~MODES) | ALWAYS);
        if (it->host_events != 0) {
            epoll_item_ready(it);
        }
    }
}

static void ask_host_now(struct epoll *ep, int max)
{
    struct host_sleep s = {.ep = ep, .reads = may_read(ep), .max = MIN(max, EVENTS_AT_ONCE)};

    if (ep->host_items == 0 || max <= 0) {
        return;
    }
    ask_host(&s, 0);
    take_host_events(ep, &s);
}

/* One sleep, as leader in the host or as follower inside. Called and returns with ep->lock held. */
static int sleep_once(struct epoll *ep, uint64_t deadline, int max)
{
    struct waiter w;
    int r;

    waiter_init(&w);
    waitq_add(&ep->waiters, &w);
    /* what came between the last harvest and here */
    spin_lock(&ep->ready_lock);
    bool ready = !list_empty(&ep->ready);

    spin_unlock(&ep->ready_lock);
    if (ready) {
        waitq_remove(&w);
        return 0;
    }
    if (ep->host_items > 0 && ep->leader == NULL) {
        struct host_sleep s = {.ep = ep, .reads = may_read(ep), .max = MIN(max, EVENTS_AT_ONCE)};

        ep->leader = thread_current();
        ep->reading = s.reads;
        mutex_unlock(&ep->lock);
        r = thread_wait_host(leader_sleep, &s, deadline);
        mutex_lock(&ep->lock);
        ep->leader = NULL;
        ep->reading = false;
        waitq_remove(&w); /* before data arrives, which would wake us */
        take_host_events(ep, &s);
        (void)waitq_wake(&ep->waiters, 1, 0); /* a follower leads now */
    } else {
        mutex_unlock(&ep->lock);
        r = thread_wait(deadline);
        mutex_lock(&ep->lock);
        waitq_remove(&w);
    }
    return r;
}

static int wait_locked(struct epoll *ep, struct epoll_event *out, int max, uint64_t deadline)
{
    bool asked = false;

    for (;;) {
        uint64_t timer = epoll_check_timers(ep);

        /* busy inside: what is outside must not starve */
        if (!asked && ep->unasked >= UNASKED_MAX) {
            ask_host_now(ep, max);
            asked = true;
        }
        int n = harvest(ep, out, max);

        if (n > 0) {
            ep->unasked = asked || ep->host_items == 0 ? 0 : ep->unasked + 1;
            return n;
        }
        if (deadline == 0 || (deadline != WAIT_FOREVER && clock_monotonic() >= deadline)) {
            if (asked || ep->host_items == 0) {
                return 0;
            }
            ask_host_now(ep, max);
            asked = true;
            continue;
        }
        timer = epoll_check_timers(ep); /* one may have been set meanwhile */
        int r = sleep_once(ep, MIN(deadline, timer), max);

        asked = true;
        if (r < 0 && r != -ETIMEDOUT) {
            n = harvest(ep, out, max); /* what is ready goes before the signal */
            return n > 0 ? n : r;
        }
        if (r == -ETIMEDOUT && deadline == 0) {
            return 0;
        }
    }
}

int epoll_wait_events(struct file *epf, struct epoll_event *out, int max, uint64_t deadline)
{
    struct epoll *ep = epoll_of(epf);

    if (ep == NULL) {
        return -EINVAL;
    }
    mutex_lock(&ep->lock);
    int r = wait_locked(ep, out, max, deadline);

    mutex_unlock(&ep->lock);
    return r;
}
