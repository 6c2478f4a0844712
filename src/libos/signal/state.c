/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/signal/state.h"

#include <linux/signal.h>

#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"

#define SYNCHRONOUS                                                                                \
    (1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) | 1ull << (SIGTRAP - 1) | \
     1ull << (SIGFPE - 1) | 1ull << (SIGSYS - 1))

int signal_init_process(struct process *p)
{
    struct signal_process *sp = kzalloc(sizeof(*sp));

    if (sp == NULL) {
        return -ENOMEM;
    }
    list_init(&sp->shared.records);
    waitq_init(&sp->waitq);
    p->signals = sp;
    return 0;
}

int signal_init_thread(struct thread *t, const struct thread *creator)
{
    struct signal_state *s = kzalloc(sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    s->xsave = kpages_alloc(1);
    if (s->xsave == NULL) {
        kfree(s);
        return -ENOMEM;
    }
    list_init(&s->pending.records);
    s->mask = creator != NULL ? creator->signals->mask : 0;
    s->altstack.flags = SS_DISABLE;
    t->signals = s;
    return 0;
}

void signal_free_thread(struct thread *t)
{
    struct signal_process *sp = t->process->signals;
    struct signal_state *s = t->signals;
    struct list freed;

    if (s == NULL) {
        return;
    }
    list_init(&freed);
    /* Whoever sends to the thread by a reference of its own looks under the lock. */
    spin_lock(&sp->lock);
    signal_queue_drop(sp, &s->pending, UINT64_MAX, &freed);
    t->signals = NULL;
    spin_unlock(&sp->lock);
    signal_free_records(&freed);
    kpages_free(s->xsave, 1);
    kfree(s);
}

void signal_after_fork(struct thread *t)
{
    struct signal_process *sp = t->process->signals;
    struct list freed;

    list_init(&freed);
    spin_lock(&sp->lock);
    signal_queue_drop(sp, &t->signals->pending, UINT64_MAX, &freed);
    signal_queue_drop(sp, &sp->shared, UINT64_MAX, &freed);
    sp->queued = 0;
    sp->stopped = false;
    spin_unlock(&sp->lock);
    signal_free_records(&freed);
}

void signal_reset_handlers(struct process *p)
{
    struct signal_process *sp = p->signals;

    spin_lock(&sp->lock);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        uint64_t handler = sp->actions[i].handler;

        sp->actions[i] = (struct signal_action){
            .handler = handler == SIG_IGN_VALUE ? SIG_IGN_VALUE : SIG_DFL_VALUE};
    }
    spin_unlock(&sp->lock);
}

void signal_reset_for_exec(struct process *p)
{
    signal_reset_handlers(p);
    thread_current()->signals->altstack = (struct signal_altstack){.flags = SS_DISABLE};
}

void signal_queue_take(struct signal_process *sp, struct signal_queue *q, int signo,
                       struct siginfo_kernel *ret, struct signal_record **ret_free)
{
    struct signal_record *found = NULL;
    bool more = false;

    list_for_each (it, &q->records) {
        struct signal_record *r = list_entry(it, struct signal_record, node);

        if (r->info.signo != signo) {
            continue;
        }
        if (found != NULL) {
            more = true;
            break;
        }
        found = r;
    }
    if (!more) {
        q->bits &= ~signal_bit(signo);
    }
    *ret_free = found;
    if (found == NULL) {
        *ret = (struct siginfo_kernel){.signo = signo, .code = SI_USER};
        return;
    }
    *ret = found->info;
    list_remove(&found->node);
    sp->queued--;
}

void signal_queue_drop(struct signal_process *sp, struct signal_queue *q, uint64_t mask,
                       struct list *freed)
{
    list_for_each_safe (it, &q->records) {
        struct signal_record *r = list_entry(it, struct signal_record, node);

        if ((mask & signal_bit(r->info.signo)) != 0) {
            list_remove(&r->node);
            list_insert(freed, &r->node);
            sp->queued--;
        }
    }
    q->bits &= ~mask;
}

void signal_free_records(struct list *freed)
{
    list_for_each_safe (it, freed) {
        struct signal_record *r = list_entry(it, struct signal_record, node);

        list_remove(&r->node);
        kfree(r);
    }
}

int signal_first(uint64_t set)
{
    if ((set & SYNCHRONOUS) != 0) {
        set &= SYNCHRONOUS;
    }
    return set == 0 ? 0 : __builtin_ctzll(set) + 1;
}

int signal_dequeue(uint64_t blocked, struct siginfo_kernel *ret)
{
    struct thread *t = thread_current();
    struct signal_process *sp = t->process->signals;
    struct signal_record *record = NULL;
    int signo;

    spin_lock(&sp->lock);
    signo = signal_first(t->signals->pending.bits & ~blocked);
    if (signo != 0) {
        signal_queue_take(sp, &t->signals->pending, signo, ret, &record);
    } else {
        signo = signal_first(sp->shared.bits & ~blocked);
        if (signo != 0) {
            signal_queue_take(sp, &sp->shared, signo, ret, &record);
        }
    }
    signal_recompute(t);
    spin_unlock(&sp->lock);
    kfree(record);
    return signo;
}

int signal_take(uint64_t mask, struct siginfo_kernel *ret)
{
    return signal_dequeue(~mask, ret) != 0 ? 1 : 0;
}

uint64_t signal_pending_mask(const struct thread *t)
{
    return __atomic_load_n(&t->signals->pending.bits, __ATOMIC_ACQUIRE) |
           __atomic_load_n(&t->process->signals->shared.bits, __ATOMIC_ACQUIRE);
}

struct waitq *signal_waitq(struct process *p)
{
    return &p->signals->waitq;
}

void signal_recompute(struct thread *t)
{
    const uint64_t pending = t->signals->pending.bits | t->process->signals->shared.bits;

    if ((pending & ~t->signals->mask) != 0 || t->process->signals->stopped) {
        (void)__atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_RELEASE);
    }
}

bool thread_signal_pending(void)
{
    struct thread *t = thread_current();

    /* Whoever is to stand still leaves its wait as for a signal, and starts again afterwards. */
    return t->signals != NULL &&
           ((signal_pending_mask(t) & ~t->signals->mask) != 0 || freeze_wanted(t));
}

void signal_mask_grew(struct thread *t, uint64_t old)
{
    struct process *p = t->process;
    const uint64_t fresh = t->signals->mask & ~old;

    if ((__atomic_load_n(&p->signals->shared.bits, __ATOMIC_ACQUIRE) & fresh) != 0) {
        mutex_lock(&p->threads_lock);
        signal_retarget(p, fresh);
        mutex_unlock(&p->threads_lock);
    }
}

void signal_set_temporary_mask(uint64_t mask)
{
    struct thread *t = thread_current();
    struct signal_state *s = t->signals;
    const uint64_t old = s->mask;

    spin_lock(&t->process->signals->lock);
    if (!s->has_saved_mask) {
        s->saved_mask = s->mask;
        s->has_saved_mask = true;
    }
    s->mask = mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    /* The old mask must come back even when no signal arrives. */
    (void)__atomic_or_fetch(&t->work, WORK_SIGNAL, __ATOMIC_RELEASE);
    spin_unlock(&t->process->signals->lock);
    signal_mask_grew(t, old);
}

enum signal_default signal_default_of(int signo)
{
    switch (signo) {
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH: return SIGDEF_IGNORE;
    case SIGCONT: return SIGDEF_CONTINUE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return SIGDEF_STOP;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS: return SIGDEF_CORE;
    default: return SIGDEF_TERMINATE;
    }
}

void signal_get_sets(const struct thread *t, struct signal_sets *ret)
{
    struct signal_process *sp = t->process->signals;

    *ret = (struct signal_sets){0};
    spin_lock(&sp->lock);
    ret->shared_pending = sp->shared.bits;
    if (t->signals != NULL) {
        ret->pending = t->signals->pending.bits;
        ret->blocked = t->signals->mask;
    }
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (sp->actions[i].handler == SIG_IGN_VALUE) {
            ret->ignored |= 1ull << i;
        } else if (sp->actions[i].handler != SIG_DFL_VALUE) {
            ret->caught |= 1ull << i;
        }
    }
    spin_unlock(&sp->lock);
}
