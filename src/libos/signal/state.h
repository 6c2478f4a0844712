/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Signal state as signal/ and the system calls on it see it. Others use signal.h. */

#include "libos/signal/signal.h"

#define SIGNAL_QUEUE_MAX 1024 /* queued siginfo records of a process (RLIMIT_SIGPENDING) */

#define SIG_DFL_VALUE 0ull
#define SIG_IGN_VALUE 1ull

/* struct kernel_sigaction of the x86-64 ABI. */
struct signal_action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};
_Static_assert(sizeof(struct signal_action) == 32, "rt_sigaction ABI");

/* Pending signals: one bit each, and records in order of arrival. A bit may stand without a record
 * (memory was short): then the signal carries no information, as in Linux. */
struct signal_queue {
    uint64_t bits;
    struct list records; /* struct signal_record.node */
};

struct signal_record {
    struct list node;
    struct siginfo_kernel info;
};

struct signal_altstack {
    uint64_t sp;
    int32_t flags;
    uint32_t pad;
    uint64_t size;
};
_Static_assert(sizeof(struct signal_altstack) == 24, "stack_t ABI");

/* One lock for the process and all its threads: lock order is waitq locks after it. */
struct signal_process {
    struct spinlock lock;
    struct signal_action actions[SIGNAL_COUNT]; /* [signo - 1] */
    struct signal_queue shared;
    size_t queued;
    bool stopped; /* by SIGSTOP and its kin, until SIGCONT */
    struct waitq waitq;
};

struct signal_state {
    struct signal_queue pending;
    uint64_t mask;
    uint64_t saved_mask; /* to put back, when has_saved_mask */
    bool has_saved_mask;
    struct signal_altstack altstack;
    uint8_t *xsave; /* a page of scratch for frames */
};

static inline uint64_t signal_bit(int signo)
{
    return 1ull << (signo - 1);
}

static inline bool signal_valid(int signo)
{
    return signo >= 1 && signo <= SIGNAL_COUNT;
}

/* Takes the record of `signo` out of a queue into *ret (made up when there is none). Caller holds
 * the lock; a record to be freed after unlocking is left in *ret_free. */
void signal_queue_take(struct signal_process *sp, struct signal_queue *q, int signo,
                       struct siginfo_kernel *ret, struct signal_record **ret_free);
/* Drops all records of `mask`; they are moved to `freed`. Caller holds the lock. */
void signal_queue_drop(struct signal_process *sp, struct signal_queue *q, uint64_t mask,
                       struct list *freed);
void signal_free_records(struct list *freed);

/* The lowest signal of `set` to take first: synchronous ones before others. 0 when empty. */
int signal_first(uint64_t set);

/* Takes the next deliverable signal of the current thread outside `blocked`. 0 when none. */
int signal_dequeue(uint64_t blocked, struct siginfo_kernel *ret);

enum signal_default { SIGDEF_IGNORE, SIGDEF_TERMINATE, SIGDEF_CORE, SIGDEF_STOP, SIGDEF_CONTINUE };
enum signal_default signal_default_of(int signo);

/* Recomputes thread->work of a thread whose mask or queues changed. Caller holds the lock. */
void signal_recompute(struct thread *t);

/* The current thread's mask was `old` before: what it blocks now and may have been the one to take
 * goes to somebody else. Caller holds no lock. */
void signal_mask_grew(struct thread *t, uint64_t old);

/* Builds a handler's frame on the application's stack and points ctx at the handler. -EFAULT when
 * the stack cannot take it. `restart`: rt_sigreturn of this frame runs the call in ctx again,
 * whose number is in ctx->rax. */
[[nodiscard]] int signal_push_frame(struct cpu_context *ctx, int signo,
                                    const struct siginfo_kernel *info,
                                    const struct signal_action *action, uint64_t mask,
                                    bool restart);
/* rt_sigreturn. */
[[nodiscard]] int signal_pop_frame(struct cpu_context *ctx);
