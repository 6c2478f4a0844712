/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * membarrier: every other thread of the process passes a full memory barrier before the call
 * returns. A thread that runs is interrupted, and its asynchronous exit is the barrier (SDM 38.4:
 * AEX and ERESUME serialize). The host is asked to interrupt and not believed: what counts is the
 * thread's own `interruptions` (boot/thread_page.h), which only grows behind such an exit, or
 * behind a locked instruction when the kick met it outside. A thread that sleeps passes the locked
 * instruction that says it is awake again before it goes on, so it need not be waited for. A host
 * that never interrupts makes the caller wait, as any host can.
 */

#include <linux/membarrier.h>

#include "libos/boot/thread_page.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/proc/membarrier.h"
#include "libos/sys/syscall.h"

#define REGISTERED                               \
    (MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | \
     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
#define SERVED \
    (REGISTERED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)

/* A kick that came just before the thread went in is told it later: ask again now and then. */
#define TRIES_PER_KICK 64

static uint32_t g_registered;

void membarrier_forget(void)
{
    __atomic_store_n(&g_registered, 0, __ATOMIC_RELEASE);
}

/* One that has no place yet, or got another one since, comes in after this. */
static bool passed(const struct thread *t, const struct thread_page *tp, uint64_t before)
{
    return __atomic_load_n(&t->arch, __ATOMIC_SEQ_CST) != tp ||
           __atomic_load_n(&t->park_state, __ATOMIC_SEQ_CST) != 0 ||
           __atomic_load_n(&tp->interruptions, __ATOMIC_SEQ_CST) != before;
}

static void interrupt(const struct thread *t)
{
    const struct thread_page *tp = __atomic_load_n(&t->arch, __ATOMIC_SEQ_CST);
    uint64_t before;

    if (tp == NULL) {
        return;
    }
    before = __atomic_load_n(&tp->interruptions, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; !passed(t, tp, before); i++) {
        if (i % TRIES_PER_KICK == 0) {
            host_kick(t);
        }
        host_yield();
    }
}

/* Under threads_lock nobody ends meanwhile. Whoever waits for it sleeps. */
static void barrier(struct process *p)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        const struct thread *t = list_entry(it, struct thread, node);

        if (t != thread_current()) {
            interrupt(t);
        }
    }
    mutex_unlock(&p->threads_lock);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

SYSCALL_3(membarrier, int, command, uint32_t, flags, int, cpu)
{
    const uint32_t c = (uint32_t)command;

    if (flags != 0) {
        return -EINVAL;
    }
    if (c == MEMBARRIER_CMD_QUERY) {
        return SERVED;
    }
    if ((c & (c - 1)) != 0 || (c & SERVED) == 0) {
        return -EINVAL;
    }
    if ((c & REGISTERED) != 0) {
        (void)__atomic_or_fetch(&g_registered, c, __ATOMIC_ACQ_REL);
        return 0;
    }
    /* Each command's registration is the next bit (UAPI). */
    if ((__atomic_load_n(&g_registered, __ATOMIC_ACQUIRE) & c << 1) == 0) {
        return -EPERM;
    }
    barrier(process_current());
    return 0;
}
_Static_assert(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED == MEMBARRIER_CMD_PRIVATE_EXPEDITED << 1 &&
                   MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE ==
                       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE << 1,
               "membarrier relies on it");
