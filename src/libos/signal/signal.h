/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Signals, Linux semantics, all inside the enclave.
 *
 * Contract with the entry code (boot/). Delivery always happens on the thread's kernel stack at
 * enclave level 0, with the application's general registers in a struct cpu_context and its vector
 * state live in the registers:
 *
 *  - System calls: before going back to the application, when thread->work != 0, the entry code
 *    calls signal_deliver(ctx, number). It may rewrite ctx (a handler frame, a restarted call).
 *  - Exceptions and asynchronous host signals arrive with CSSA = 1 while application code was
 *    running. The exception entry copies the GPRs of SSA[0] into a cpu_context on the thread's
 *    kernel stack, points SSA[0] at a continuation on that stack and lets ERESUME bring the vector
 *    state back; the continuation then calls signal_raise_exception() or nothing, then
 *    signal_deliver(ctx, -1), and returns to the application through ctx (every register, so
 * IRETQ).
 *  - Exceptions in libos code itself are bugs or faults of user_copy_*; they never come here. An
 *    asynchronous signal that interrupts libos code only sets thread->work.
 */

#include "libos/proc/thread.h"

#define SIGNAL_COUNT 64

struct siginfo_kernel {
    int32_t signo;
    int32_t err;
    int32_t code;
    int32_t pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value;
        } kill; /* SI_USER, SI_TKILL, SI_QUEUE; SIGCHLD has its status in value */
        struct {
            uint64_t addr;
        } fault;
        struct {
            int32_t id;
            int32_t overrun;
            uint64_t value;
        } timer;
        uint8_t raw[112];
    };
} _packed_;
_Static_assert(sizeof(struct siginfo_kernel) == 128, "Linux siginfo_t");

/* Made with the process and with each thread; a new thread inherits its creator's mask (NULL: empty
 * mask). 0 or -ENOMEM. */
[[nodiscard]] int signal_init_process(struct process *p);
[[nodiscard]] int signal_init_thread(struct thread *t, const struct thread *creator);
void signal_free_thread(struct thread *t);
/* In a child of fork: nothing is pending. */
void signal_after_fork(struct thread *t);
/* execve: caught signals go back to default, the alternate stack is dropped. */
void signal_reset_for_exec(struct process *p);
/* The first half of it: CLONE_CLEAR_SIGHAND. */
void signal_reset_handlers(struct process *p);

/* A hardware exception of the application: x86 vector, #PF error code, faulting address. Chooses
 * SIGSEGV/SIGBUS/SIGFPE/SIGILL/SIGTRAP and its si_code and forces it (an ignored or blocked one
 * kills, as in Linux). `mapped`: the address lies in a mapping (SEGV_ACCERR instead of MAPERR). */
void signal_raise_exception(const struct cpu_context *ctx, uint32_t vector, uint32_t error_code,
                            uint64_t address, bool mapped);
/* Forces one with the caller's choice of code (SIGBUS for a file hole, …). */
void signal_force(int signo, int code, uint64_t address);

/* Takes one deliverable signal, if any, and rewrites ctx; `syscall` is the number of the call just
 * served (its result is in ctx->rax; -ERESTART* are resolved here) or -1. May not return: default
 * actions end the process. */
void signal_deliver(struct cpu_context *ctx, int64_t syscall);

/* Sending. `info` NULL: SI_KERNEL. 0 or -Exxx (-EAGAIN: queue full). */
[[nodiscard]] int signal_send_thread(struct thread *t, int signo,
                                     const struct siginfo_kernel *info);
[[nodiscard]] int signal_send_process(struct process *p, int signo,
                                      const struct siginfo_kernel *info);

/* To the calling thread for what it did itself (SIGPIPE, SIGXFSZ): as sent by its own process. Not
 * for what it does on behalf of another process of the family, which sees to it there. */
static inline int signal_send_self(int signo)
{
    const struct process *p = process_current();
    const struct siginfo_kernel info = {.kill = {.pid = p->pid, .uid = p->uid}};

    if (thread_current()->hasty) {
        return 0;
    }
    return signal_send_thread(thread_current(), signo, &info);
}
/* A POSIX timer has one signal: while it is pending (for the thread, or NULL: the process), more
 * expirations are counted in it, and its count so far is in *ret_overrun. */
bool signal_timer_pending(struct process *p, struct thread *target, int32_t id, uint64_t more,
                          int32_t *ret_overrun);

/* Signals of `set` that are pending for the process were perhaps meant to be taken by the current
 * thread, which cannot or will not take them any more: somebody else is told. Caller holds
 * threads_lock. */
void signal_retarget(struct process *p, uint64_t set);

/* Host signals the loader saw (block->signals, untrusted): only those that make sense from outside
 * are passed on (HUP INT QUIT USR1 USR2 TERM CONT WINCH), as sent by pid 0. */
void signal_from_host(uint64_t bits);

/* Takes a pending signal of `mask` for the current thread: 1 taken, 0 none. */
int signal_take(uint64_t mask, struct siginfo_kernel *ret);
/* Signals pending for this thread or its process. */
uint64_t signal_pending_mask(const struct thread *t);
/* Woken whenever a signal becomes pending (poll of a signalfd). */
struct waitq *signal_waitq(struct process *p);

/* The current thread waits under this mask (sigsuspend, ppoll, pselect, epoll_pwait); the old mask
 * comes back when the call ends: after a handler's frame was built, or at once when none ran. */
void signal_set_temporary_mask(uint64_t mask);

/* For /proc/PID/status. */
struct signal_sets {
    uint64_t pending, shared_pending, blocked, ignored, caught;
};
void signal_get_sets(const struct thread *t, struct signal_sets *ret);
