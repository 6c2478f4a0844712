/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * A waiter is in the owner's queue before it reads the word. Whoever changes the word afterwards
 * has its page, which this process gave up behind the message that queued the waiter, in the same
 * channel; so the wake that follows the change finds the waiter.
 */

#include "libos/proc/futex_family.h"

#include "libos/lib/list.h"
#include "libos/libos.h"
#include "libos/mm/user_raw.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/wait.h"
#include "libos/shm/link.h"
#include "libos/shm/local.h"

/* Under the pager's lock. */
static struct list g_sleepers = {&g_sleepers, &g_sleepers};
static uint64_t g_next_ticket;

static void on_woken(uint64_t ticket)
{
    list_for_each_safe (it, &g_sleepers) {
        struct futex_sleeper *s = list_entry(it, struct futex_sleeper, node);

        if (s->ticket == ticket) {
            struct thread *t = s->thread;

            list_remove(it);
            ref_get(&t->refs); /* whoever sees the flag may go, and end */
            __atomic_store_n(&s->woken, 1, __ATOMIC_SEQ_CST);
            thread_wake(t);
            thread_put(t);
            return;
        }
    }
}

static int enter(struct futex_sleeper *s, struct futex_key key, uint32_t bits)
{
    struct shm_head h = {.op = SHM_FUTEX_WAIT, .object = key.object, .page = key.offset, .b = bits};
    int r;

    shm_lock();
    shm_on_woken(on_woken);
    s->ticket = ++g_next_ticket;
    h.a = s->ticket;
    list_insert(&g_sleepers, &s->node);
    r = shm_post(&h, NULL);
    if (r < 0) {
        list_remove(&s->node);
    }
    shm_unlock();
    return r;
}

/* Out of the queue. False: somebody woke it before. */
static bool leave(struct futex_sleeper *s, struct futex_key key)
{
    struct shm_head h = {
        .op = SHM_FUTEX_CANCEL, .object = key.object, .page = key.offset, .a = s->ticket};
    const int64_t waited = __atomic_load_n(&s->woken, __ATOMIC_ACQUIRE) != 0 ? 0 : shm_question(&h);

    shm_lock();
    list_remove(&s->node);
    shm_unlock();
    return waited != 0;
}

static int sleep_on(struct futex_sleeper *s, uint64_t deadline)
{
    int r = 0;

    while (r == 0 && __atomic_load_n(&s->woken, __ATOMIC_ACQUIRE) == 0) {
        r = thread_wait(deadline);
    }
    return r;
}

int futex_family_enter(struct futex_sleeper *s, struct futex_key key)
{
    int r;

    *s = (struct futex_sleeper){.thread = thread_current()};
    list_init(&s->node);
    r = enter(s, key, UINT32_MAX);
    if (r < 0) {
        return r;
    }
    r = futex_family_wake(key, 0, UINT32_MAX); /* answered behind what was posted */
    if (r < 0) {
        (void)leave(s, key);
    }
    return r < 0 ? r : 0;
}

int futex_family_sleep(struct futex_sleeper *s, uint64_t deadline)
{
    return sleep_on(s, deadline);
}

void futex_family_leave(struct futex_sleeper *s, struct futex_key key)
{
    (void)leave(s, key);
}

int futex_family_wait(struct futex_key key, uint64_t address, uint32_t expected, uint64_t deadline,
                      uint32_t bits)
{
    struct futex_sleeper s = {.thread = thread_current()};
    uint32_t value = 0;
    int r;

    /* Most waits that are in vain end here, without a message. */
    if (user_raw_load32((const uint32_t *)(uintptr_t)address, &value) != 0) {
        return -EFAULT;
    }
    if (value != expected) {
        return -EAGAIN;
    }
    list_init(&s.node);
    r = enter(&s, key, bits);
    if (r < 0) {
        return r;
    }
    if (user_raw_load32((const uint32_t *)(uintptr_t)address, &value) != 0) {
        r = -EFAULT;
    } else {
        r = value != expected ? -EAGAIN : sleep_on(&s, deadline);
    }
    if (r < 0 && !leave(&s, key)) {
        r = 0;
    }
    return r;
}

int futex_family_wake(struct futex_key key, uint32_t count, uint32_t bits)
{
    struct shm_head h = {
        .op = SHM_FUTEX_WAKE, .object = key.object, .page = key.offset, .a = count, .b = bits};

    return (int)shm_question(&h);
}

int64_t futex_family_requeue(struct futex_key from, struct futex_key to, uint32_t wake,
                             uint32_t move, uint32_t *ret_moved)
{
    struct shm_head h = {.op = SHM_FUTEX_REQUEUE,
                         .object = from.object,
                         .page = from.offset,
                         .a = wake,
                         .b = move,
                         .c = to.offset,
                         .e = to.object};
    const int64_t r = shm_question(&h);

    if (r < 0) {
        return r;
    }
    *ret_moved = (uint32_t)(r >> 32);
    return (int64_t)(uint32_t)r;
}

void futex_family_after_fork(void)
{
    list_init(&g_sleepers);
}
