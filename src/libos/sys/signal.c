/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/signal.h>

#include "libos/family/rpc.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/process.h"
#include "libos/proc/thread_list.h"
#include "libos/signal/state.h"
#include "libos/sys/syscall.h"
#include "libos/time/clock.h"

#define SIGSET_SIZE         8u
#define ALTSTACK_AUTODISARM (1u << 31)
#define ALTSTACK_MIN        2048u /* MINSIGSTKSZ */
#define UNBLOCKABLE         (signal_bit(SIGKILL) | signal_bit(SIGSTOP))

SYSCALL_4(rt_sigaction, int, signo, uint64_t, user_new, uint64_t, user_old, uint64_t, set_size)
{
    struct signal_process *sp = process_current()->signals;
    struct signal_action fresh;
    struct signal_action old;
    struct list freed;

    if (set_size != SIGSET_SIZE || !signal_valid(signo)) {
        return -EINVAL;
    }
    if (user_new != 0) {
        if (user_get(&fresh, user_new) < 0) {
            return -EFAULT;
        }
        if ((signal_bit(signo) & UNBLOCKABLE) != 0) {
            return -EINVAL;
        }
    }
    list_init(&freed);
    spin_lock(&sp->lock);
    old = sp->actions[signo - 1];
    if (user_new != 0) {
        fresh.mask &= ~UNBLOCKABLE;
        sp->actions[signo - 1] = fresh;
        /* POSIX: setting a signal to be ignored discards pending ones. */
        if (fresh.handler == SIG_IGN_VALUE ||
            (fresh.handler == SIG_DFL_VALUE && signal_default_of(signo) == SIGDEF_IGNORE)) {
            signal_queue_drop(sp, &sp->shared, signal_bit(signo), &freed);
            signal_queue_drop(sp, &thread_current()->signals->pending, signal_bit(signo), &freed);
        }
    }
    spin_unlock(&sp->lock);
    signal_free_records(&freed);
    if (user_new != 0 && signo == SIGCHLD && family_role() != FAMILY_ALONE) {
        /* Does it want to hear of its children's ends? */
        (void)!family_process_set(process_current()->pid, PIDS_REAPS_SELF,
                                  fresh.handler == SIG_IGN_VALUE ||
                                      (fresh.flags & SA_NOCLDWAIT) != 0);
    }
    return user_old != 0 ? user_put(user_old, &old) : 0;
}

SYSCALL_4(rt_sigprocmask, int, how, uint64_t, user_set, uint64_t, user_old, uint64_t, set_size)
{
    struct thread *t = thread_current();
    const uint64_t old = t->signals->mask;
    uint64_t set;

    if (set_size != SIGSET_SIZE) {
        return -EINVAL;
    }
    if (user_set != 0) {
        if (user_get(&set, user_set) < 0) {
            return -EFAULT;
        }
        switch (how) {
        case SIG_BLOCK: set = old | set; break;
        case SIG_UNBLOCK: set = old & ~set; break;
        case SIG_SETMASK: break;
        default: return -EINVAL;
        }
        spin_lock(&t->process->signals->lock);
        t->signals->mask = set & ~UNBLOCKABLE;
        signal_recompute(t);
        spin_unlock(&t->process->signals->lock);
        signal_mask_grew(t, old);
    }
    return user_old != 0 ? user_put(user_old, &old) : 0;
}

SYSCALL_2(rt_sigpending, uint64_t, user_set, uint64_t, set_size)
{
    const struct thread *t = thread_current();
    const uint64_t set = signal_pending_mask(t) & t->signals->mask;

    if (set_size > SIGSET_SIZE) {
        return -EINVAL;
    }
    return user_copy_out(user_set, &set, set_size);
}

SYSCALL_2(rt_sigsuspend, uint64_t, user_set, uint64_t, set_size)
{
    uint64_t set;

    if (set_size != SIGSET_SIZE) {
        return -EINVAL;
    }
    if (user_get(&set, user_set) < 0) {
        return -EFAULT;
    }
    signal_set_temporary_mask(set);
    while (thread_wait(WAIT_FOREVER) != -EINTR) {
        /* woken for nothing */
    }
    return -ERESTARTNOHAND;
}

SYSCALL_0(pause)
{
    while (thread_wait(WAIT_FOREVER) != -EINTR) {
        /* woken for nothing */
    }
    return -ERESTARTNOHAND;
}

SYSCALL_4(rt_sigtimedwait, uint64_t, user_set, uint64_t, user_info, uint64_t, user_timeout,
          uint64_t, set_size)
{
    struct thread *t = thread_current();
    struct siginfo_kernel info;
    uint64_t deadline;
    uint64_t set;
    uint64_t old;
    int signo;
    int r;

    if (set_size != SIGSET_SIZE) {
        return -EINVAL;
    }
    if (user_get(&set, user_set) < 0) {
        return -EFAULT;
    }
    r = timespec_user_deadline(user_timeout, &deadline);
    if (r < 0) {
        return r;
    }
    set &= ~UNBLOCKABLE;
    signo = signal_dequeue(~set, &info);
    if (signo == 0) {
        /* While it waits the awaited signals count as unblocked, so that senders choose and wake
         * this thread; they are taken below before any could be delivered. */
        spin_lock(&t->process->signals->lock);
        old = t->signals->mask;
        t->signals->mask &= ~set;
        spin_unlock(&t->process->signals->lock);
        do {
            r = thread_wait(deadline);
            signo = signal_dequeue(~set, &info);
        } while (signo == 0 && r == 0);
        spin_lock(&t->process->signals->lock);
        t->signals->mask = old;
        signal_recompute(t);
        spin_unlock(&t->process->signals->lock);
        signal_mask_grew(t, old & ~set);
    }
    if (signo == 0) {
        return r == -ETIMEDOUT ? -EAGAIN : -EINTR;
    }
    if (user_info != 0 && user_put(user_info, &info) < 0) {
        return -EFAULT;
    }
    return signo;
}

SYSCALL_2(sigaltstack, uint64_t, user_new, uint64_t, user_old)
{
    struct thread *t = thread_current();
    struct signal_altstack *a = &t->signals->altstack;
    const bool in_use = (a->flags & SS_DISABLE) == 0 && t->context->rsp - a->sp < a->size;
    struct signal_altstack old = *a;
    struct signal_altstack fresh;

    old.flags =
        (a->flags & (int32_t)(SS_DISABLE | ALTSTACK_AUTODISARM)) | (in_use ? SS_ONSTACK : 0);
    old.pad = 0;
    if (user_new != 0) {
        if (user_get(&fresh, user_new) < 0) {
            return -EFAULT;
        }
        if (in_use) {
            return -EPERM;
        }
        if ((fresh.flags & ~(int32_t)(SS_DISABLE | SS_ONSTACK | ALTSTACK_AUTODISARM)) != 0) {
            return -EINVAL;
        }
        fresh.flags &= ~SS_ONSTACK;
        if ((fresh.flags & SS_DISABLE) != 0) {
            fresh.sp = 0;
            fresh.size = 0;
        } else if (fresh.size < ALTSTACK_MIN) {
            return -ENOMEM;
        }
        *a = fresh;
    }
    return user_old != 0 ? user_put(user_old, &old) : 0;
}

SYSCALL_0(rt_sigreturn)
{
    struct thread *t = thread_current();
    struct cpu_context *ctx = t->context;

    if (signal_pop_frame(ctx) < 0) {
        signal_force(SIGSEGV, SI_KERNEL, 0);
    }
    (void)__atomic_or_fetch(&t->work, WORK_FULL_RETURN, __ATOMIC_RELEASE);
    return (int64_t)ctx->rax;
}

static void fill_sender(struct siginfo_kernel *info, int signo, int code)
{
    const struct process *p = process_current();

    *info = (struct siginfo_kernel){.signo = signo, .code = code};
    info->kill.pid = p->pid;
    info->kill.uid = p->uid;
}

SYSCALL_2(kill, int32_t, pid, int, signo)
{
    struct process *p = process_current();
    struct siginfo_kernel info;
    int r;

    if (signo < 0 || signo > SIGNAL_COUNT) {
        return -EINVAL;
    }
    if (pid == INT32_MIN) {
        return -ESRCH;
    }
    fill_sender(&info, signo, SI_USER);
    if (pid != p->pid) {
        r = family_process_kill(p->pid, pid, &info);
        if (r <= 0) {
            return r;
        }
    }
    /* Itself, or itself as well: before the call returns. */
    return signo == 0 ? 0 : signal_send_process(p, signo, &info);
}

static int64_t send_to_thread(int32_t tid, int signo, const struct siginfo_kernel *info)
{
    struct thread *t;
    int r;

    if (signo < 0 || signo > SIGNAL_COUNT || tid <= 0) {
        return -EINVAL;
    }
    t = thread_find(process_current(), tid);
    if (t == NULL) {
        return -ESRCH;
    }
    r = signo == 0 ? 0 : signal_send_thread(t, signo, info);
    thread_put(t);
    return r;
}

SYSCALL_2(tkill, int32_t, tid, int, signo)
{
    struct siginfo_kernel info;

    fill_sender(&info, signo, SI_TKILL);
    return send_to_thread(tid, signo, &info);
}

SYSCALL_3(tgkill, int32_t, tgid, int32_t, tid, int, signo)
{
    struct siginfo_kernel info;

    if (tgid <= 0) {
        return -EINVAL;
    }
    if (tgid != process_current()->pid) {
        return -ESRCH;
    }
    fill_sender(&info, signo, SI_TKILL);
    return send_to_thread(tid, signo, &info);
}

/* A record the application made: it may not pose as the kernel or as kill(), except to itself. */
static int get_queued_info(uint64_t user_info, int signo, struct siginfo_kernel *ret)
{
    if (user_get(ret, user_info) < 0) {
        return -EFAULT;
    }
    ret->signo = signo;
    return 0;
}

SYSCALL_3(rt_sigqueueinfo, int32_t, pid, int, signo, uint64_t, user_info)
{
    struct siginfo_kernel info;

    if (get_queued_info(user_info, signo, &info) < 0) {
        return -EFAULT;
    }
    if (signo < 0 || signo > SIGNAL_COUNT || pid <= 0) {
        return -EINVAL;
    }
    if (pid != process_current()->pid) {
        /* To others nobody may pose as kill() or as the kernel. */
        return info.code >= 0 || info.code == SI_TKILL
                   ? -EPERM
                   : MIN(family_process_kill(process_current()->pid, pid, &info), 0);
    }
    return signo == 0 ? 0 : signal_send_process(process_current(), signo, &info);
}

SYSCALL_4(rt_tgsigqueueinfo, int32_t, tgid, int32_t, tid, int, signo, uint64_t, user_info)
{
    struct siginfo_kernel info;

    if (tgid <= 0) {
        return -EINVAL;
    }
    if (get_queued_info(user_info, signo, &info) < 0) {
        return -EFAULT;
    }
    if (tgid != process_current()->pid) {
        return -ESRCH;
    }
    return send_to_thread(tid, signo, &info);
}
