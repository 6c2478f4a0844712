/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What host/ needs of the entry code: leaving with one call, and this thread's untrusted places. */

#include "libos/boot/hostcall.h"
#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/sys/trace.h"

int64_t hostcall(enum hostcall number, const uint64_t args[static HOSTCALL_ARGS])
{
    struct hostcall_block *block = thread_page()->block;

    trace_count_hostcall(number);
    __atomic_store_n(&block->exit, EXIT_HOSTCALL, __ATOMIC_RELAXED);
    __atomic_store_n(&block->number, number, __ATOMIC_RELAXED);
    for (size_t i = 0; i < HOSTCALL_ARGS; i++) {
        __atomic_store_n(&block->args[i], args[i], __ATOMIC_RELAXED);
    }
    hostcall_leave();
    thread_page_note_signals(thread_page());
    return __atomic_load_n(&block->result, __ATOMIC_RELAXED);
}

struct host_bounce *host_bounce(void)
{
    return &thread_page()->bounce;
}

static const struct thread_page *page_of(const struct thread *t)
{
    return t == NULL ? thread_page() : __atomic_load_n(&t->arch, __ATOMIC_ACQUIRE);
}

uint32_t *thread_park_word(const struct thread *t)
{
    return page_of(t)->park;
}

uint64_t thread_tcs(const struct thread *t)
{
    const struct thread_page *tp = page_of(t);

    return tp == NULL ? 0 : tp->tcs;
}

void hostcall_abort(uint64_t reason)
{
    struct hostcall_block *block = thread_page()->block;

    if (block != NULL) {
        __atomic_store_n(&block->args[0], reason, __ATOMIC_RELAXED);
        __atomic_store_n(&block->exit, EXIT_ABORT, __ATOMIC_RELAXED);
    }
    hostcall_leave_for_good();
}

void hostcall_thread_done(void)
{
    __atomic_store_n(&thread_page()->block->exit, EXIT_THREAD_DONE, __ATOMIC_RELAXED);
    hostcall_leave_for_good();
}
