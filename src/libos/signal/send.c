/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/signal.h>

#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/signal/state.h"
#include "libos/time/timer.h"

#define STOP_SIGNALS \
    (1ull << (SIGSTOP - 1) | 1ull << (SIGTSTP - 1) | 1ull << (SIGTTIN - 1) | 1ull << (SIGTTOU - 1))

/* The first real-time signal in the kernel's numbering: from here on every instance queues. */
#define RT_FIRST 32

/* Linux drops a signal at once when its action is to ignore it and the receiver does not block it
 * (a blocked one may find another action later). */
static bool is_ignored(const struct signal_process *sp, const struct thread *t, int signo)
{
    const uint64_t handler = sp->actions[signo - 1].handler;

    if ((t->signals->mask & signal_bit(signo)) != 0) {
        return false;
    }
    return handler == SIG_IGN_VALUE ||
           (handler == SIG_DFL_VALUE && signal_default_of(signo) == SIGDEF_IGNORE);
}

/* A stop signal and SIGCONT cancel each other while pending; SIGCONT and SIGKILL end a stop. */
static void resolve_stop(struct process *p, int signo, struct list *freed)
{
    struct signal_process *sp = p->signals;
    uint64_t drop = 0;

    if (signo == SIGCONT) {
        drop = STOP_SIGNALS;
    } else if ((signal_bit(signo) & STOP_SIGNALS) != 0) {
        drop = signal_bit(SIGCONT);
    }
    if (drop != 0) {
        signal_queue_drop(sp, &sp->shared, drop, freed);
        list_for_each (it, &p->threads) {
            struct thread *t = list_entry(it, struct thread, node);

            signal_queue_drop(sp, &t->signals->pending, drop, freed);
        }
    }
    if (signo == SIGCONT || signo == SIGKILL) {
        sp->stopped = false;
    }
}

/* Makes a thread look at its signals soon: wakes it from an interruptible wait, or has the host
 * interrupt it when it computes or sits in a host call. */
static void notify(struct thread *t)
{
    (void)__atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_RELEASE);
    if (t == thread_current()) {
        return;
    }
    if (__atomic_load_n(&t->park_state, __ATOMIC_ACQUIRE) != 0) {
        thread_wake(t);
    } else {
        host_kick(t);
    }
}

/* Who takes a process-directed signal: the sender if it can, else any thread that does not block
 * it. NULL: all block it; it stays pending. Caller holds threads_lock. */
static struct thread *choose_thread(struct process *p, int signo)
{
    struct thread *self = thread_current();

    if (self->process == p && self->signals != NULL &&
        (self->signals->mask & signal_bit(signo)) == 0) {
        return self;
    }
    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (t->signals != NULL && (t->signals->mask & signal_bit(signo)) == 0) {
            return t;
        }
    }
    return NULL;
}

void signal_retarget(struct process *p, uint64_t set)
{
    const struct thread *self = thread_current();
    uint64_t left = __atomic_load_n(&p->signals->shared.bits, __ATOMIC_ACQUIRE) & set;

    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (left == 0) {
            return;
        }
        if (t != self && t->signals != NULL && (left & ~t->signals->mask) != 0) {
            left &= t->signals->mask;
            notify(t);
        }
    }
}

/* Queues under the lock. Takes `record` (may be NULL) when it returns 1; 0: nothing to do. */
static int enqueue(struct signal_process *sp, struct signal_queue *q, int signo,
                   struct signal_record *record)
{
    if (signo < RT_FIRST && (q->bits & signal_bit(signo)) != 0) {
        return 0; /* standard signals do not pile up */
    }
    if (record == NULL || sp->queued >= SIGNAL_QUEUE_MAX) {
        if (signo >= RT_FIRST && record != NULL && record->info.code != SI_USER) {
            return -EAGAIN;
        }
        __atomic_or_fetch(&q->bits, signal_bit(signo), __ATOMIC_RELEASE);
        return 0;
    }
    list_insert(&q->records, &record->node);
    sp->queued++;
    __atomic_or_fetch(&q->bits, signal_bit(signo), __ATOMIC_RELEASE);
    return 1;
}

static struct signal_record *make_record(int signo, const struct siginfo_kernel *info)
{
    struct signal_record *record = kzalloc(sizeof(*record));

    if (record == NULL) {
        return NULL;
    }
    if (info != NULL) {
        record->info = *info;
    } else {
        record->info.code = SI_KERNEL;
    }
    record->info.signo = signo;
    list_init(&record->node);
    return record;
}

/* `target` NULL: to the process. */
static int send(struct process *p, struct thread *target, int signo,
                const struct siginfo_kernel *info)
{
    struct signal_process *sp = p->signals;
    struct signal_record *record;
    struct list freed;
    struct thread *receiver;
    int r = 0;

    if (!signal_valid(signo)) {
        return -EINVAL;
    }
    record = make_record(signo, info);
    list_init(&freed);
    mutex_lock(&p->threads_lock);
    spin_lock(&sp->lock);
    resolve_stop(p, signo, &freed);
    receiver = target != NULL ? target : choose_thread(p, signo);
    if (target != NULL && target->signals == NULL) {
        receiver = NULL; /* it is gone */
    } else if (receiver == NULL || !is_ignored(sp, receiver, signo)) {
        r = enqueue(sp, target != NULL ? &target->signals->pending : &sp->shared, signo, record);
        if (r > 0) {
            record = NULL;
            r = 0;
        }
    }
    spin_unlock(&sp->lock);
    if (receiver != NULL && r == 0) {
        notify(receiver);
    }
    if (signo == SIGCONT || signo == SIGKILL) {
        list_for_each (it, &p->threads) {
            notify(list_entry(it, struct thread, node));
        }
    }
    mutex_unlock(&p->threads_lock);
    waitq_wake_all(&sp->waitq, 1 /* EPOLLIN */);
    kfree(record);
    signal_free_records(&freed);
    return r;
}

int signal_send_thread(struct thread *t, int signo, const struct siginfo_kernel *info)
{
    if (t->signals == NULL) {
        return 0; /* a thread of ours (proc/service.h): it works for somebody else */
    }
    return send(t->process, t, signo, info);
}

int signal_send_process(struct process *p, int signo, const struct siginfo_kernel *info)
{
    return send(p, NULL, signo, info);
}

bool signal_timer_pending(struct process *p, struct thread *target, int32_t id, uint64_t more,
                          int32_t *ret_overrun)
{
    struct signal_process *sp = p->signals;
    struct signal_queue *q = &sp->shared;
    bool found = false;

    spin_lock(&sp->lock);
    if (target != NULL) {
        if (target->signals == NULL) {
            spin_unlock(&sp->lock);
            return false; /* it ended */
        }
        q = &target->signals->pending;
    }
    list_for_each (it, &q->records) {
        struct siginfo_kernel *info = &list_entry(it, struct signal_record, node)->info;

        if (info->code == SI_TIMER && info->timer.id == id) {
            const uint64_t sum = (uint64_t)(uint32_t)info->timer.overrun + more;

            info->timer.overrun = (int32_t)MIN(sum, (uint64_t)INT32_MAX);
            *ret_overrun = info->timer.overrun;
            found = true;
            break;
        }
    }
    spin_unlock(&sp->lock);
    return found;
}

void signal_from_host(uint64_t bits)
{
    static const int allowed[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,
                                  SIGUSR2, SIGTERM, SIGCONT, SIGWINCH};
    struct process *p = process_current();

    /* The loader's wake-up timer comes as SIGALRM: a hint to look at the timers, never a signal. */
    if ((bits & signal_bit(SIGALRM)) != 0) {
        timers_host_fired();
    }
    for (size_t i = 0; i < ARRAY_COUNT(allowed); i++) {
        if ((bits & signal_bit(allowed[i])) != 0) {
            const struct siginfo_kernel info = {.code = SI_USER};

            (void)signal_send_process(p, allowed[i], &info); /* standard: cannot fail */
        }
    }
}

void signal_force(int signo, int code, uint64_t address)
{
    struct thread *t = thread_current();
    struct signal_process *sp = t->process->signals;
    struct siginfo_kernel info = {.signo = signo, .code = code, .fault.addr = address};
    struct signal_action *a = &sp->actions[signo - 1];

    /* A forced signal cannot be ignored or blocked: then the default action takes its course. */
    spin_lock(&sp->lock);
    if (a->handler == SIG_IGN_VALUE || (t->signals->mask & signal_bit(signo)) != 0) {
        a->handler = SIG_DFL_VALUE;
        t->signals->mask &= ~signal_bit(signo);
    }
    spin_unlock(&sp->lock);
    (void)signal_send_thread(t, signo, &info);
}

/* Which floating-point exception it was: the flags that are set and not masked (SDM volume 1, 8.6
 * and 11.5.2), in the order Linux looks. */
static int fpe_code(uint32_t flags)
{
    static const struct {
        uint32_t flags;
        int code;
    } rows[] = {
        {0x01, FPE_FLTINV}, {0x04, FPE_FLTDIV}, {0x08, FPE_FLTOVF},
        {0x12, FPE_FLTUND}, {0x20, FPE_FLTRES},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if ((flags & rows[i].flags) != 0) {
            return rows[i].code;
        }
    }
    return FPE_FLTINV;
}

static uint32_t x87_flags(void)
{
    uint16_t control;
    uint16_t status;

    __asm__ volatile("fnstcw %0\n\tfnstsw %1" : "=m"(control), "=a"(status));
    return status & ~(uint32_t)control;
}

static uint32_t simd_flags(void)
{
    uint32_t mxcsr;

    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    return mxcsr & ~(mxcsr >> 7);
}

void signal_raise_exception(const struct cpu_context *ctx, uint32_t vector, uint32_t error_code,
                            uint64_t address, bool mapped)
{
    switch (vector) {
    case 0: signal_force(SIGFPE, FPE_INTDIV, ctx->rip); return;
    case 1: signal_force(SIGTRAP, TRAP_TRACE, ctx->rip); return;
    case 3: signal_force(SIGTRAP, SI_KERNEL, 0); return;
    case 6: signal_force(SIGILL, ILL_ILLOPN, ctx->rip); return;
    case 14: signal_force(SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, address); return;
    case 16: signal_force(SIGFPE, fpe_code(x87_flags()), ctx->rip); return;
    case 17: signal_force(SIGBUS, BUS_ADRALN, 0); return;
    case 19: signal_force(SIGFPE, fpe_code(simd_flags()), ctx->rip); return;
    default: signal_force(SIGSEGV, SI_KERNEL, 0); return; /* #GP, #BR and the rest */
    }
}
