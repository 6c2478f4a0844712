/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Sleeping and waking.
 *
 * A thread sleeps outside on an untrusted word (its park word) that should hold the same number as
 * the trusted counter park_seq beside it. A waker sets what it wakes for (wake_token, or the flag
 * of a mutex waiter), counts park_seq up, and if the thread may be asleep writes the new number
 * outside and wakes. The sleeper publishes its number and that it is about to sleep before it looks
 * at the flag for the last time; one of the two sees the other. The host can at worst wake it for
 * nothing or never.
 */

#include "libos/proc/wait.h"

#include "libos/host/host.h"
#include "libos/lib/uapi.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/thread.h"
#include "libos/proc/thread_list.h"
#include "libos/time/clock.h"

#include <linux/time.h>

#define PARK_AWAKE 0u
#define PARK_FUTEX 1u
#define PARK_POLL  2u

/* ---- spinlock ---- */

#define SPIN_BEFORE_YIELD 1000

void spin_lock(struct spinlock *l)
{
    int spins = 0;

    while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED) != 0) {
            __builtin_ia32_pause();
            if (++spins == SPIN_BEFORE_YIELD) {
                host_yield(); /* its holder may have lost the processor */
                spins = 0;
            }
        }
    }
}

void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

/* ---- parking ---- */

static int64_t timeout_until(uint64_t deadline)
{
    uint64_t now;

    if (deadline == WAIT_FOREVER) {
        return -1;
    }
    now = clock_now(CLOCK_MONOTONIC);
    return deadline <= now ? 0 : (int64_t)MIN(deadline - now, (uint64_t)INT64_MAX);
}

/*
 * A thread whose partner is about to wake it looks around for some microseconds first, about as
 * long as the host takes to wake somebody: that saves two exits here and one on the other side.
 * Each thread learns whether that pays: after SPIN_MISSES vain attempts in a row it only tries
 * every 16th sleep, then every 32nd … 1024th. A thread that sleeps for long spends next to nothing
 * on this. For a partner in another process, waking whom costs more, it gives up later.
 */
#define SPIN_TICKS  16384u
#define SPIN_MISSES 4u
#define SPIN_RARELY 6u
#define LOOK_TICKS  (4 * SPIN_TICKS)
#define LOOK_MISSES 8u
#define LOOK_RARELY 2u

static bool worth_spinning(struct spin *s, uint32_t misses, uint32_t rarely)
{
    const uint32_t vain = s->misses / misses;

    return vain == 0 || ++s->skipped >> MIN(vain + 3, rarely + 4) != 0;
}

/* Looks for `ticks`; what came of it is the caller's to note. */
static bool look(struct thread *t, bool (*ready)(void *arg), void *arg, uint64_t ticks)
{
    const uint64_t start = __builtin_ia32_rdtsc();

    do {
        __builtin_ia32_pause();
        if (ready(arg)) {
            return true;
        }
    } while (__builtin_ia32_rdtsc() - start < ticks &&
             __atomic_load_n(&t->work, __ATOMIC_RELAXED) == 0);
    return false;
}

static void learn(struct spin *s, bool found, uint32_t most)
{
    s->skipped = 0;
    s->misses = found ? 0 : MIN(s->misses + 1, most);
}

static bool is_set(void *arg)
{
    return __atomic_load_n((const uint32_t *)arg, __ATOMIC_ACQUIRE) != 0;
}

static bool spin_on(struct thread *t, const uint32_t *flag)
{
    bool found;

    if (!worth_spinning(&t->spin, SPIN_MISSES, SPIN_RARELY)) {
        return false;
    }
    found = look(t, is_set, (void *)(uintptr_t)flag, SPIN_TICKS);
    learn(&t->spin, found, SPIN_MISSES * (SPIN_RARELY + 1));
    return found;
}

/* The partner is another process, which has to do something first. */
static bool look_long(struct thread *t, struct spin *s, bool (*ready)(void *arg), void *arg)
{
    bool found;

    if (!worth_spinning(s, LOOK_MISSES, LOOK_RARELY)) {
        return false;
    }
    found = look(t, ready, arg, LOOK_TICKS);
    learn(s, found, LOOK_MISSES * (LOOK_RARELY + 1));
    return found;
}

bool thread_look_around(bool (*ready)(void *arg), void *arg, bool certain)
{
    struct thread *t = thread_current();

    return certain ? look(t, ready, arg, LOOK_TICKS) : look_long(t, &t->look, ready, arg);
}

static const struct wait_helper *g_helper;

void thread_set_helper(const struct wait_helper *helper)
{
    __atomic_store_n(&g_helper, helper, __ATOMIC_RELEASE);
}

/* What one look of a helping wait is about. */
struct help_look {
    const struct wait_helper *helper;
    struct thread *t;
    uint64_t state[WAIT_HELP_STATE / 8];
    bool helped;
};

static bool help_once(void *arg)
{
    struct help_look *l = arg;

    l->helped = l->helper->look(l->state);
    return l->helped || is_set(&l->t->wake_token);
}

/* Does for others what it finds to do while it looks around. 1: something was done or the thread
 * was woken, the caller looks again; 0: sleep; -ENOENT: there is nobody to help. */
static int help(struct thread *t)
{
    struct help_look l = {.helper = __atomic_load_n(&g_helper, __ATOMIC_ACQUIRE), .t = t};
    bool found;

    if (l.helper == NULL || t->process != process_first() || !l.helper->begin(l.state)) {
        return -ENOENT;
    }
    found = look_long(t, &t->help, help_once, &l);
    return l.helper->end(l.state, found) || found ? 1 : 0;
}

/* Sleeps unless *flag is set. 0, -ETIMEDOUT; returns early for any reason. */
static int sleep_on(struct thread *t, const uint32_t *flag, uint64_t deadline)
{
    uint32_t seq;
    int64_t timeout;
    int r = 0;

    seq = park_begin(t);
    __atomic_store_n(&t->park_state, PARK_FUTEX, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(flag, __ATOMIC_SEQ_CST) == 0) {
        timeout = timeout_until(deadline);
        r = timeout == 0 ? -ETIMEDOUT : host_park(seq, timeout);
    }
    if (r == -EINTR) {
        park_hold_host_signals();
    }
    __atomic_store_n(&t->park_state, PARK_AWAKE, __ATOMIC_SEQ_CST);
    return r == -ETIMEDOUT ? r : 0;
}

static int park(struct thread *t, const uint32_t *flag, uint64_t deadline)
{
    return spin_on(t, flag) ? 0 : sleep_on(t, flag, deadline);
}

/* After what `t` waits for was set: gets it going if it sleeps. */
static void unpark(struct thread *t)
{
    const uint32_t seq = park_advance(t);

    switch (__atomic_load_n(&t->park_state, __ATOMIC_SEQ_CST)) {
    case PARK_FUTEX: host_unpark(t, seq); break;
    case PARK_POLL: {
        const uint64_t one = 1;

        (void)!host_write(t->host_wake_fd, &one, sizeof(one));
        break;
    }
    default: break;
    }
}

void thread_wake(struct thread *t)
{
    __atomic_store_n(&t->wake_token, 1, __ATOMIC_SEQ_CST);
    unpark(t);
}

static bool must_go(const struct thread *t)
{
    return (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & WORK_EXIT) != 0;
}

static bool expired(uint64_t deadline)
{
    return deadline != WAIT_FOREVER && clock_now(CLOCK_MONOTONIC) >= deadline;
}

static int wait(uint64_t deadline, bool interruptible, bool helping)
{
    struct thread *t = thread_current();
    int helped;
    int r;

    for (;;) {
        if (__atomic_exchange_n(&t->wake_token, 0, __ATOMIC_ACQUIRE) != 0) {
            return 0;
        }
        if (must_go(t) || (interruptible && (t->hasty || thread_signal_pending()))) {
            return -EINTR;
        }
        if (expired(deadline)) {
            return -ETIMEDOUT;
        }
        helped = helping ? help(t) : -ENOENT;
        if (helped > 0) {
            __atomic_store_n(&t->wake_token, 0, __ATOMIC_RELEASE);
            return 0;
        }
        r = helped == 0 ? sleep_on(t, &t->wake_token, deadline) : park(t, &t->wake_token, deadline);
        if (r == 0 && interruptible) {
            /* Woken, interrupted or for nothing: let the signal layer take over host signals. */
            park_take_host_signals();
        }
    }
}

int thread_wait(uint64_t deadline)
{
    return wait(deadline, true, false);
}

int thread_wait_helping(uint64_t deadline)
{
    return wait(deadline, true, true);
}

int thread_wait_uninterruptible(uint64_t deadline)
{
    return wait(deadline, false, false);
}

void thread_wait_thaw(void)
{
    struct thread *t = thread_current();

    while (freeze_wanted(t)) {
        const uint32_t seq = park_begin(t);

        __atomic_store_n(&t->park_state, PARK_FUTEX, __ATOMIC_SEQ_CST);
        if (freeze_wanted(t) && host_park(seq, -1) == -EINTR) {
            park_hold_host_signals(); /* they may be looked at only afterwards */
        }
        __atomic_store_n(&t->park_state, PARK_AWAKE, __ATOMIC_SEQ_CST);
    }
}

int thread_wait_flag(const uint32_t *flag, bool interruptible)
{
    struct thread *t = thread_current();

    while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) == 0) {
        if (must_go(t) || (interruptible && thread_signal_pending())) {
            return -EINTR;
        }
        if (park(t, flag, WAIT_FOREVER) == 0) {
            park_take_host_signals();
        }
    }
    return 0;
}

int thread_wait_page(const uint32_t *flag, bool give_way)
{
    struct thread *t = thread_current();

    while (__atomic_load_n(flag, __ATOMIC_ACQUIRE) == 0) {
        if (give_way && __atomic_load_n(&t->work, __ATOMIC_ACQUIRE) != 0) {
            return -EINTR;
        }
        if (park(t, flag, WAIT_FOREVER) == 0) {
            park_take_host_signals();
        }
    }
    return 0;
}

void thread_set_flag(struct thread *t, uint32_t *flag)
{
    ref_get(&t->refs); /* whoever sees the flag may go, and end */
    __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
    unpark(t);
    thread_put(t);
}

bool thread_must_end(void)
{
    return must_go(thread_current());
}

/* ---- waiting on host descriptors as well ---- */

#define FDS_FAST 8u

static int ensure_wake_fd(struct thread *t)
{
    if (t->host_wake_fd < 0) {
        t->host_wake_fd = host_eventfd(0, O_NONBLOCK | O_CLOEXEC);
    }
    return t->host_wake_fd < 0 ? t->host_wake_fd : 0;
}

static void drain(struct thread *t)
{
    uint64_t counted;

    (void)!host_read(t->host_wake_fd, &counted, sizeof(counted));
}

/* One sleep of the caller's. A wake after `park_state` was set writes to the wake descriptor, one
 * before it is seen in the token: none is lost. */
static int sleep_once(struct thread *t, int (*sleep)(void *arg, int wake_fd, int64_t timeout_ns),
                      void *arg, uint64_t deadline)
{
    int64_t timeout;
    int r = 0;

    (void)park_begin(t);
    __atomic_store_n(&t->park_state, PARK_POLL, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->wake_token, __ATOMIC_SEQ_CST) == 0) {
        timeout = timeout_until(deadline);
        r = sleep(arg, t->host_wake_fd, timeout);
    }
    __atomic_store_n(&t->park_state, PARK_AWAKE, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&t->wake_token, __ATOMIC_SEQ_CST) != 0) {
        drain(t);
    }
    park_take_host_signals();
    return r;
}

int thread_wait_host(int (*sleep)(void *arg, int wake_fd, int64_t timeout_ns), void *arg,
                     uint64_t deadline)
{
    struct thread *t = thread_current();
    int r = ensure_wake_fd(t);

    if (r < 0) {
        return r;
    }
    if (__atomic_exchange_n(&t->wake_token, 0, __ATOMIC_ACQUIRE) != 0) {
        return 0;
    }
    if (must_go(t) || t->hasty || thread_signal_pending()) {
        return -EINTR;
    }
    r = sleep_once(t, sleep, arg, deadline);
    if (r < 0 && r != -EINTR) {
        return r;
    }
    if (__atomic_exchange_n(&t->wake_token, 0, __ATOMIC_ACQUIRE) != 0 || r > 0) {
        return 0;
    }
    if (must_go(t) || thread_signal_pending()) {
        return -EINTR;
    }
    return expired(deadline) ? -ETIMEDOUT : 0;
}

/* The descriptors of one thread_wait_fds, the wake descriptor in the last place. */
struct poll_sleep {
    struct host_pollfd *all;
    size_t count;
};

static int poll_sleep(void *arg, int wake_fd, int64_t timeout_ns)
{
    struct poll_sleep *s = arg;
    int r;

    s->all[s->count] = (struct host_pollfd){.fd = wake_fd, .events = 1 /* POLLIN */};
    r = host_poll(s->all, s->count + 1, timeout_ns);
    if (r > 0 && s->all[s->count].revents != 0) {
        if (__atomic_load_n(&thread_current()->wake_token, __ATOMIC_ACQUIRE) == 0) {
            drain(thread_current()); /* too late for the wait it was meant for */
        }
        r--;
    }
    return r;
}

static bool any_ready(struct host_pollfd *fds, const struct host_pollfd *all, size_t count)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        fds[i].revents = all[i].revents;
        any |= all[i].revents != 0;
    }
    return any;
}

int thread_wait_fds(struct host_pollfd *fds, size_t count, uint64_t deadline)
{
    struct host_pollfd fast[FDS_FAST + 1];
    struct poll_sleep s = {.all = fast, .count = count};
    int r;

    for (size_t i = 0; i < count; i++) {
        fds[i].revents = 0;
    }
    if (count == 0) {
        return thread_wait(deadline);
    }
    if (count > FDS_FAST) {
        s.all = kmalloc((count + 1) * sizeof(*s.all));
        if (s.all == NULL) {
            return -ENOMEM;
        }
    }
    __builtin_memcpy(s.all, fds, count * sizeof(*fds));
    r = thread_wait_host(poll_sleep, &s, deadline);
    if (any_ready(fds, s.all, count)) {
        r = 0;
    }
    if (s.all != fast) {
        kfree(s.all);
    }
    return r;
}

/* ---- queues ---- */

void waitq_init(struct waitq *q)
{
    q->lock.locked = 0;
    list_init(&q->waiters);
}

void waiter_init(struct waiter *w)
{
    *w = (struct waiter){.thread = thread_current()};
    list_init(&w->node);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
    spin_lock(&q->lock);
    w->queue = q;
    list_insert(&q->waiters, &w->node);
    spin_unlock(&q->lock);
}

void waitq_remove(struct waiter *w)
{
    struct waitq *q = w->queue;

    if (q == NULL) {
        return;
    }
    spin_lock(&q->lock);
    list_remove(&w->node);
    spin_unlock(&q->lock);
    w->queue = NULL;
}

size_t waitq_wake(struct waitq *q, size_t count, uint32_t events)
{
    size_t woken = 0;

    if (__atomic_load_n(&q->waiters.next, __ATOMIC_ACQUIRE) == &q->waiters) {
        return 0;
    }
    spin_lock(&q->lock);
    list_for_each_safe (it, &q->waiters) {
        struct waiter *w = list_entry(it, struct waiter, node);

        if (w->notify != NULL) {
            w->notify(w, events);
            continue;
        }
        if (woken < count) {
            thread_wake(w->thread);
            woken++;
        }
    }
    spin_unlock(&q->lock);
    return woken;
}

void waitq_wake_all(struct waitq *q, uint32_t events)
{
    (void)waitq_wake(q, SIZE_MAX, events);
}

/* ---- mutex ---- */

#define MUTEX_SPINS   100
#define MUTEX_BUCKETS 64u

struct mutex_waiter {
    struct list node;
    struct mutex *mutex;
    struct thread *thread;
    uint32_t go;
};

static struct mutex_bucket {
    struct spinlock lock;
    struct list waiters; /* zero until first used */
} g_buckets[MUTEX_BUCKETS];

static struct mutex_bucket *bucket_of(const struct mutex *m)
{
    struct mutex_bucket *b = &g_buckets[((uintptr_t)m >> 3) * 0x9e3779b97f4a7c15ull >> 58];

    spin_lock(&b->lock);
    if (b->waiters.next == NULL) {
        list_init(&b->waiters);
    }
    return b;
}
_Static_assert(MUTEX_BUCKETS == 64, "bucket_of yields 6 bits");

bool mutex_trylock(struct mutex *m)
{
    uint32_t expected = 0;

    if (!__atomic_compare_exchange_n(&m->state, &expected, 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        return false;
    }
    m->owner = thread_current();
    return true;
}

/* Whoever comes out of a wait marks the lock as waited for: others may still be in line. A lock
 * that was let go may be taken by somebody who did not wait; handing it over instead would make
 * every contended lock as slow as waking a thread. */
static void mutex_wait(struct mutex *m)
{
    for (;;) {
        struct mutex_waiter w = {.mutex = m, .thread = thread_current()};
        struct mutex_bucket *b = bucket_of(m);

        if (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) == 0) {
            spin_unlock(&b->lock);
            m->owner = w.thread;
            return;
        }
        list_insert(&b->waiters, &w.node);
        spin_unlock(&b->lock);
        while (__atomic_load_n(&w.go, __ATOMIC_ACQUIRE) == 0) {
            (void)park(w.thread, &w.go, WAIT_FOREVER);
        }
    }
}

void mutex_lock(struct mutex *m)
{
    for (int i = 0; i < MUTEX_SPINS; i++) {
        if (mutex_trylock(m)) {
            return;
        }
        __builtin_ia32_pause();
    }
    if (m->owner == thread_current() && m->owner != NULL) {
        libos_panic("a thread locks a mutex it holds");
    }
    mutex_wait(m);
}

static void mutex_wake_one(struct mutex *m)
{
    struct mutex_bucket *b = bucket_of(m);
    struct thread *t = NULL;

    list_for_each (it, &b->waiters) {
        struct mutex_waiter *w = list_entry(it, struct mutex_waiter, node);

        if (w->mutex == m) {
            list_remove(&w->node);
            t = w->thread;
            ref_get(&t->refs);
            __atomic_store_n(&w->go, 1, __ATOMIC_SEQ_CST);
            break;
        }
    }
    spin_unlock(&b->lock);
    if (t != NULL) {
        unpark(t);
        thread_put(t);
    }
}

void mutex_unlock(struct mutex *m)
{
    m->owner = NULL;
    if (__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2) {
        mutex_wake_one(m);
    }
}
