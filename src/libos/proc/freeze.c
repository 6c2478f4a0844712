/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/freeze.h"

#include <linux/time.h>

#include "libos/boot/thread_page.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/proc/process.h"
#include "libos/proc/service.h"
#include "libos/proc/vfork.h"
#include "libos/time/clock.h"

/* How long a thread may take to come out: what it does meanwhile ends by itself (a write to a slow
 * disk, say) or is a wait that hears of it. */
#define PATIENCE_NS 5000000000ull
#define KICK_NS     1000000ull

static uint32_t g_on;
static uint32_t g_leaving;

/* Wakes it from a wait, or has the host interrupt it. */
static void push(struct thread *t)
{
    if (__atomic_load_n(&t->park_state, __ATOMIC_ACQUIRE) != 0) {
        thread_wake(t);
    } else {
        host_kick(t);
    }
}

/* A thread that was made but has not been inside yet goes to the gate before anything else. */
static bool stands(const struct thread *t)
{
    const struct thread_page *tp = t->arch;

    return __atomic_load_n(&t->frozen, __ATOMIC_ACQUIRE) != 0 ||
           (tp != NULL && __atomic_load_n(&tp->state, __ATOMIC_ACQUIRE) == TP_STATE_READY);
}

struct look {
    bool all;
    bool late; /* which services are meant */
};

static void look_at_service(struct thread *t, void *arg)
{
    struct look *look = arg;

    if (t->late != look->late) {
        return;
    }
    (void)__atomic_or_fetch(&t->work, WORK_FREEZE, __ATOMIC_SEQ_CST);
    if (!stands(t)) {
        look->all = false;
    }
}

static void let_service_go(struct thread *t, void *arg)
{
    if ((__atomic_fetch_and(&t->work, ~WORK_FREEZE, __ATOMIC_ACQ_REL) & WORK_FREEZE) != 0 &&
        t->arch != NULL) {
        thread_wake(t);
    }
}

/* One look at everybody; pushes those who do not stand yet. */
static bool all_stand(struct process *p, bool with_push)
{
    struct thread *self = thread_current();
    struct look look = {.all = true};
    bool all;

    service_for_each(look_at_service, &look);
    all = look.all && __atomic_load_n(&g_leaving, __ATOMIC_ACQUIRE) == 0;

    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        struct thread *t = vfork_running(list_entry(it, struct thread, node));

        if (t == self) {
            continue;
        }
        (void)__atomic_or_fetch(&t->work, WORK_FREEZE, __ATOMIC_RELEASE);
        if (!stands(t)) {
            all = false;
            if (with_push) {
                push(t);
            }
        }
    }
    mutex_unlock(&p->threads_lock);
    return all;
}

int freeze_begin(void)
{
    struct process *p = process_first();
    uint64_t until;
    uint64_t next_push = 0;
    uint32_t nobody = 0;

    if (!__atomic_compare_exchange_n(&g_on, &nobody, 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        return -EBUSY;
    }
    until = clock_now(CLOCK_MONOTONIC) + PATIENCE_NS;
    for (;;) {
        const uint64_t now = clock_now(CLOCK_MONOTONIC);
        const bool with_push = now >= next_push;

        if (all_stand(p, with_push)) {
            return 0;
        }
        if (with_push) {
            next_push = now + KICK_NS;
        }
        if (now >= until) {
            libos_log(LOG_WARNING, "fork: a thread does not come out of what it is doing");
            freeze_end();
            return -EAGAIN;
        }
        host_yield();
    }
}

int freeze_late(void)
{
    const uint64_t until = clock_now(CLOCK_MONOTONIC) + PATIENCE_NS;

    for (;;) {
        struct look look = {.all = true, .late = true};

        service_for_each(look_at_service, &look);
        if (look.all) {
            return 0;
        }
        if (clock_now(CLOCK_MONOTONIC) >= until) {
            libos_log(LOG_WARNING, "fork: the pager does not come to rest");
            return -EAGAIN;
        }
        host_yield();
    }
}

void freeze_end(void)
{
    struct process *p = process_first();

    __atomic_store_n(&g_on, 0, __ATOMIC_RELEASE);
    service_for_each(let_service_go, NULL);
    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        struct thread *t = vfork_running(list_entry(it, struct thread, node));

        if ((__atomic_fetch_and(&t->work, ~WORK_FREEZE, __ATOMIC_ACQ_REL) & WORK_FREEZE) != 0) {
            thread_wake(t);
        }
    }
    mutex_unlock(&p->threads_lock);
}

void freeze_after_fork(void)
{
    g_on = 0;
    g_leaving = 0;
}

void freeze_gate(struct thread *t)
{
    if (!freeze_wanted(t)) {
        return;
    }
    __atomic_store_n(&t->frozen, 1, __ATOMIC_RELEASE);
    thread_wait_thaw();
    __atomic_store_n(&t->frozen, 0, __ATOMIC_RELEASE);
}

void freeze_rest_begin(void)
{
    __atomic_store_n(&thread_current()->frozen, 1, __ATOMIC_SEQ_CST);
}

void freeze_rest_end_busy(void)
{
    __atomic_store_n(&thread_current()->frozen, 0, __ATOMIC_SEQ_CST);
}

void freeze_rest_end(void)
{
    struct thread *t = thread_current();

    __atomic_store_n(&t->frozen, 0, __ATOMIC_SEQ_CST);
    freeze_gate(t);
}

void freeze_leaving(void)
{
    (void)__atomic_add_fetch(&g_leaving, 1, __ATOMIC_ACQ_REL);
}

void freeze_left(void)
{
    (void)__atomic_sub_fetch(&g_leaving, 1, __ATOMIC_ACQ_REL);
}
