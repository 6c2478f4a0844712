/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Blocking. A thread that waits registers a waiter on every queue that may wake it, tests its
 * condition, and calls thread_wait(); wakers change the state first and then wake. Wake-ups may be
 * spurious (the host controls parking): always loop on the condition.
 *
 *     struct waiter w;
 *     waiter_init(&w);
 *     waitq_add(&pipe->readers, &w);
 *     while (!(r = condition())) {
 *         r = thread_wait(deadline);      // 0, -ETIMEDOUT, -EINTR
 *         if (r < 0) break;
 *     }
 *     waitq_remove(&w);
 */

#include "libos/lib/list.h"
#include "libos/lib/sync.h"

struct thread;

struct waitq {
    struct spinlock lock;
    struct list waiters;
};

struct waiter {
    struct list node;
    struct waitq *queue;
    struct thread *thread;
    /* When set, called under queue->lock instead of waking `thread` (epoll items). Must not block.
     */
    void (*notify)(struct waiter *w, uint32_t events);
};

#define WAIT_FOREVER UINT64_MAX

void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w); /* for the current thread */
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waiter *w); /* harmless when not queued */
/* Wakes all / up to `count` waiters; `events` (EPOLL*) travels to notify callbacks. */
void waitq_wake_all(struct waitq *q, uint32_t events);
size_t waitq_wake(struct waitq *q, size_t count, uint32_t events);

/* Sleeps until thread_wake(current), the absolute CLOCK_MONOTONIC deadline in ns, or a signal that
 * is to be delivered. 0 (woken, maybe spuriously), -ETIMEDOUT, -EINTR. A wake that came between
 * waitq_add and here is not lost. */
[[nodiscard]] int thread_wait(uint64_t deadline);
/* The same, not interruptible by signals. */
[[nodiscard]] int thread_wait_uninterruptible(uint64_t deadline);
void thread_wake(struct thread *t);

/* As thread_wait, for callers that hold no lock at all and whose waker may be another process of
 * the family: before it sleeps, the thread looks for what it can do for the family itself instead
 * of having a service thread woken for it. */
[[nodiscard]] int thread_wait_helping(uint64_t deadline);
/* `begin` says whether there is anybody to look for, `look` does what there is to do (true: it did
 * something), `end` (always after `begin` said yes) with `found` false stops looking and does what
 * came last: true when there was any. */
#define WAIT_HELP_STATE 64u /* bytes at `state`, on the thread's stack */
struct wait_helper {
    bool (*begin)(void *state);
    bool (*look)(void *state);
    bool (*end)(void *state, bool found);
};
void thread_set_helper(const struct wait_helper *helper);
/* Looks around for some microseconds whether ready(arg) comes true, if that has paid lately or when
 * it is `certain` to. For words another process writes. */
[[nodiscard]] bool thread_look_around(bool (*ready)(void *arg), void *arg, bool certain);

/* How often a thread looked around in vain before it slept, and its sleeps since it last did. */
struct spin {
    uint32_t misses, skipped;
};
/* Until nobody wants the current thread to stand still (proc/freeze.h). Takes no lock. */
void thread_wait_thaw(void);

/* Sleeping on a flag of one's own instead of the thread's wake token, for waits inside the library
 * OS that can lie within another wait. Until *flag is set (0), or a signal when `interruptible`, or
 * the thread must end (-EINTR both). */
[[nodiscard]] int thread_wait_flag(const uint32_t *flag, bool interruptible);
/* The same for the answer of a pager (shm/link.h), which comes soon or never: also when the thread
 * must end. `give_way`: only until there is something to do on the way back to the application
 * (-EINTR). */
[[nodiscard]] int thread_wait_page(const uint32_t *flag, bool give_way);
/* Sets it and gets `t`, which waits for it, going. */
void thread_set_flag(struct thread *t, uint32_t *flag);
/* True when the thread is to end (exit_group, execve): no wait lasts any more. */
bool thread_must_end(void);

/* As thread_wait, but sleeping in the host on descriptors as well: struct host_pollfd like Linux's
 * pollfd. Returns 0 when woken or a descriptor is ready (revents filled in; checked to be a subset
 * of what can be reported), -ETIMEDOUT, -EINTR. */
struct host_pollfd {
    int32_t fd;
    int16_t events;
    int16_t revents;
};
[[nodiscard]] int thread_wait_fds(struct host_pollfd *fds, size_t count, uint64_t deadline);

/* As thread_wait, but the sleep is a host call of the caller's own (epoll): `sleep` must return
 * when `wake_fd` (this thread's host eventfd, registered by the caller wherever it sleeps) becomes
 * readable or timeout_ns passed, with 1 when wake_fd was readable (it is then drained), else 0 or
 * an error. Not called at all when a wake came before. 0: slept or woken, -ETIMEDOUT, -EINTR, or
 * the error of `sleep`. */
[[nodiscard]] int thread_wait_host(int (*sleep)(void *arg, int wake_fd, int64_t timeout_ns),
                                   void *arg, uint64_t deadline);

/* True when the current thread has a signal to take: blocking calls give up with -EINTR. */
bool thread_signal_pending(void);
