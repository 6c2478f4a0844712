/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/time/timer.h"

#include "libos/host/host.h"
#include "libos/lib/sync.h"
#include "libos/proc/thread.h"
#include "libos/time/clock.h"

/* Lock order: g_timers.lock is a leaf; fire callbacks run without it. */
static struct {
    struct spinlock lock;
    struct list armed;     /* by deadline */
    uint64_t next;         /* deadline of the first; WAIT_FOREVER: none */
    uint64_t host_armed;   /* what the host was last asked for */
    bool arming;           /* somebody is asking it, and will look again */
    struct ktimer *firing; /* whose callback runs */
    struct thread *firing_thread;
} g_timers = {
    .armed = {&g_timers.armed, &g_timers.armed}, .next = WAIT_FOREVER, .host_armed = WAIT_FOREVER};

void ktimer_init(struct ktimer *t, void (*fire)(struct ktimer *, uint64_t))
{
    *t = (struct ktimer){.fire = fire};
    list_init(&t->node);
}

static void update_next(void)
{
    g_timers.next = list_empty(&g_timers.armed)
                        ? WAIT_FOREVER
                        : list_entry(g_timers.armed.next, struct ktimer, node)->deadline;
}

static void insert(struct ktimer *t)
{
    struct list *at = &g_timers.armed;

    list_for_each (it, &g_timers.armed) {
        if (list_entry(it, struct ktimer, node)->deadline > t->deadline) {
            at = it;
            break;
        }
    }
    list_insert(at, &t->node);
    t->armed = true;
    update_next();
}

static void take(struct ktimer *t)
{
    list_remove(&t->node);
    t->armed = false;
    update_next();
}

/* Asks the host to wake us for the earliest timer, when that changed. A host call, so outside the
 * lock, and by one thread at a time: of two that ask, the one that asked first must not have the
 * last word. */
static void arm_host(void)
{
    spin_lock(&g_timers.lock);
    while (!g_timers.arming && g_timers.next != g_timers.host_armed) {
        const uint64_t next = g_timers.next;

        g_timers.host_armed = next;
        g_timers.arming = true;
        spin_unlock(&g_timers.lock);
        host_set_timer(next == WAIT_FOREVER ? 0 : MAX(next, 1ull));
        spin_lock(&g_timers.lock);
        g_timers.arming = false;
    }
    spin_unlock(&g_timers.lock);
}

void ktimer_start(struct ktimer *t, uint64_t deadline, uint64_t period)
{
    spin_lock(&g_timers.lock);
    if (t->armed) {
        take(t);
    }
    t->deadline = deadline;
    t->period = period;
    insert(t);
    spin_unlock(&g_timers.lock);
    arm_host();
}

void ktimer_stop(struct ktimer *t)
{
    spin_lock(&g_timers.lock);
    if (t->armed) {
        take(t);
    }
    t->period = 0;
    while (g_timers.firing == t && g_timers.firing_thread != thread_current()) {
        spin_unlock(&g_timers.lock);
        host_yield();
        spin_lock(&g_timers.lock);
    }
    spin_unlock(&g_timers.lock);
    /* The host keeps its old wake-up: it finds nothing due. Saves an exit for alarm(0) patterns. */
}

void ktimer_get(struct ktimer *t, uint64_t *ret_left, uint64_t *ret_period)
{
    const uint64_t now = clock_monotonic();

    spin_lock(&g_timers.lock);
    *ret_left = !t->armed ? 0 : t->deadline > now ? t->deadline - now : 1;
    *ret_period = t->armed ? t->period : 0;
    spin_unlock(&g_timers.lock);
}

void timers_after_fork(void)
{
    /* What is armed now came along (descriptors of timers); the host's wake-up did not. */
    g_timers.firing = NULL;
    g_timers.firing_thread = NULL;
    g_timers.host_armed = WAIT_FOREVER;
    g_timers.arming = false;
    arm_host();
}

void timers_host_fired(void)
{
    spin_lock(&g_timers.lock);
    g_timers.host_armed = WAIT_FOREVER;
    spin_unlock(&g_timers.lock);
    timers_run();
}

void timers_run(void)
{
    uint64_t now;

    if (__atomic_load_n(&g_timers.next, __ATOMIC_RELAXED) == WAIT_FOREVER) {
        return;
    }
    now = clock_monotonic();
    spin_lock(&g_timers.lock);
    while (g_timers.firing == NULL && g_timers.next <= now) {
        struct ktimer *t = list_entry(g_timers.armed.next, struct ktimer, node);
        uint64_t expirations = 1;

        take(t);
        if (t->period != 0) {
            expirations += (now - t->deadline) / t->period;
            t->deadline += expirations * t->period;
            insert(t);
        }
        g_timers.firing = t;
        g_timers.firing_thread = thread_current();
        spin_unlock(&g_timers.lock);
        t->fire(t, expirations);
        spin_lock(&g_timers.lock);
        g_timers.firing = NULL;
        g_timers.firing_thread = NULL;
    }
    if (g_timers.host_armed <= now) {
        g_timers.host_armed = WAIT_FOREVER; /* it has fired: ask anew */
    }
    spin_unlock(&g_timers.lock);
    arm_host();
}
