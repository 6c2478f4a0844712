/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Delivery: the one place where a pending signal becomes a handler's frame, a stop or the end.
 *
 * Restarting a system call. Without a handler the call is dispatched again on the spot. With one,
 * its frame says RIP of the `syscall` itself and RAX its number, as Linux has it; where the site
 * was rewritten into a jump, that jump does the same.
 */

#include <asm/unistd_64.h>
#include <linux/signal.h>

#include "libos/family/rpc.h"
#include "libos/libos.h"
#include "libos/proc/family_process.h"
#include "libos/proc/freeze.h"
#include "libos/proc/park.h"
#include "libos/proc/process.h"
#include "libos/signal/state.h"
#include "libos/sys/syscall.h"
#include "libos/time/timer.h"

enum restart { RESTART_NO, RESTART_IF_ASKED, RESTART_ALWAYS, RESTART_WITHOUT_HANDLER };

/* What an internal result means; turns it into what the application sees if nothing restarts. */
static enum restart classify(struct cpu_context *ctx, int64_t syscall)
{
    enum restart how;

    if (syscall < 0 || syscall == __NR_rt_sigreturn) {
        return RESTART_NO;
    }
    switch ((int64_t)ctx->rax) {
    case -ERESTARTSYS: how = RESTART_IF_ASKED; break;
    case -ERESTARTNOINTR: how = RESTART_ALWAYS; break;
    case -ERESTARTNOHAND:
    case -ERESTART_RESTARTBLOCK: how = RESTART_WITHOUT_HANDLER; break;
    default: return RESTART_NO;
    }
    ctx->rax = (uint64_t)-EINTR;
    return how;
}

static void dispatch_again(struct cpu_context *ctx, int64_t syscall)
{
    const uint64_t args[6] = {ctx->rdi, ctx->rsi, ctx->rdx, ctx->r10, ctx->r8, ctx->r9};

    ctx->rax = (uint64_t)syscall_dispatch((uint64_t)syscall, args);
}

/* Sleeps while the process is stopped. SIGCONT and SIGKILL wake every thread. */
static void wait_while_stopped(struct thread *t)
{
    struct signal_process *sp = t->process->signals;

    while (__atomic_load_n(&sp->stopped, __ATOMIC_ACQUIRE)) {
        freeze_gate(t);
        (void)thread_wait_uninterruptible(WAIT_FOREVER); /* woken by SIGCONT; else loop */
    }
}

static void default_action(struct cpu_context *ctx, struct thread *t, int signo)
{
    switch (signal_default_of(signo)) {
    case SIGDEF_IGNORE:
    case SIGDEF_CONTINUE: return;
    case SIGDEF_STOP:
        libos_log(LOG_INFO, "stopped by signal %d", signo);
        __atomic_store_n(&t->process->signals->stopped, true, __ATOMIC_RELEASE);
        if (family_role() != FAMILY_ALONE) {
            family_process_stopped(t->process->pid, (uint32_t)signo);
        }
        wait_while_stopped(t);
        if (family_role() != FAMILY_ALONE) {
            family_process_stopped(t->process->pid, 0);
        }
        return;
    case SIGDEF_TERMINATE: process_die(signo, /*core=*/false, ctx);
    case SIGDEF_CORE: process_die(signo, /*core=*/true, ctx);
    }
}

/* Reads the action and, under the lock, does what its flags say about the next time. */
static struct signal_action use_action(struct signal_process *sp, int signo)
{
    struct signal_action a;

    spin_lock(&sp->lock);
    a = sp->actions[signo - 1];
    if ((a.flags & SA_RESETHAND) != 0 && a.handler > SIG_IGN_VALUE) {
        sp->actions[signo - 1].handler = SIG_DFL_VALUE;
    }
    spin_unlock(&sp->lock);
    return a;
}

/* Runs a handler: frame, then the mask for its duration. */
static void run_handler(struct cpu_context *ctx, struct thread *t, int signo,
                        const struct siginfo_kernel *info, const struct signal_action *a,
                        bool restart)
{
    struct signal_state *s = t->signals;
    const uint64_t mask = s->mask;
    const uint64_t old_mask = s->has_saved_mask ? s->saved_mask : mask;

    if (signal_push_frame(ctx, signo, info, a, old_mask, restart) < 0) {
        if (signo == SIGSEGV) {
            process_die(SIGSEGV, /*core=*/true, ctx);
        }
        signal_force(SIGSEGV, 128 /* SI_KERNEL */, 0);
        return;
    }
    spin_lock(&t->process->signals->lock);
    s->has_saved_mask = false;
    s->mask |= a->mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    if ((a->flags & SA_NODEFER) == 0) {
        s->mask |= signal_bit(signo) & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    }
    spin_unlock(&t->process->signals->lock);
    signal_mask_grew(t, mask);
}

static void restore_temporary_mask(struct thread *t)
{
    struct signal_state *s = t->signals;
    const uint64_t old = s->mask;

    if (!s->has_saved_mask) {
        return; /* nobody else sets it */
    }
    spin_lock(&t->process->signals->lock);
    s->mask = s->saved_mask;
    s->has_saved_mask = false;
    signal_recompute(t);
    spin_unlock(&t->process->signals->lock);
    signal_mask_grew(t, old);
}

/* What ended only to get here starts again afterwards, unless a signal is there to see it end. */
static void stand_still(struct thread *t, struct cpu_context *ctx, int64_t syscall)
{
    if (freeze_wanted(t)) {
        if (syscall >= 0 && (int64_t)ctx->rax == -EINTR) {
            ctx->rax = (uint64_t)-ERESTARTNOHAND;
        }
        freeze_gate(t);
    }
}

void signal_deliver(struct cpu_context *ctx, int64_t syscall)
{
    struct thread *t = thread_current();
    struct signal_process *sp = t->process->signals;

    for (;;) {
        struct siginfo_kernel info;
        struct signal_action a;
        enum restart how;
        int signo;

        stand_still(t, ctx, syscall);
        /* Cleared before anything is looked at: what comes from here on sets it again. */
        (void)__atomic_and_fetch(&t->work, WORK_EXIT | WORK_FREEZE, __ATOMIC_ACQ_REL);
        park_take_host_signals();
        how = classify(ctx, syscall);
        timers_run();
        wait_while_stopped(t);
        signo = signal_dequeue(t->signals->mask, &info);
        if (signo == 0) {
            restore_temporary_mask(t);
            if (how != RESTART_NO) {
                dispatch_again(ctx, syscall);
                continue;
            }
            if ((__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & ~(WORK_EXIT | WORK_FREEZE)) == 0) {
                return;
            }
            syscall = -1;
            continue;
        }
        a = use_action(sp, signo);
        if (a.handler == SIG_IGN_VALUE) {
            if (how != RESTART_NO) {
                dispatch_again(ctx, syscall);
            }
            continue;
        }
        if (a.handler == SIG_DFL_VALUE) {
            default_action(ctx, t, signo);
            if (how != RESTART_NO) {
                dispatch_again(ctx, syscall);
            }
            continue;
        }
        if (how == RESTART_IF_ASKED && (a.flags & SA_RESTART) == 0) {
            how = RESTART_NO;
        }
        if (how == RESTART_ALWAYS || how == RESTART_IF_ASKED) {
            ctx->rax = (uint64_t)syscall;
            run_handler(ctx, t, signo, &info, &a, /*restart=*/true);
        } else {
            run_handler(ctx, t, signo, &info, &a, /*restart=*/false);
        }
        syscall = -1; /* answered: further signals stack on top of the handler */
    }
}
