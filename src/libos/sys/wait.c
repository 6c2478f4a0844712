/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Waiting for children. The owner of the family knows how they ended (proc/pids.h); it says when
 * there is something to look at, and whoever waits looks again. */

#include <linux/resource.h>
#include <linux/signal.h>
#include <linux/wait.h>

#include "libos/fs/file.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/pidfd.h"
#include "libos/signal/signal.h"
#include "libos/sys/rusage.h"
#include "libos/sys/syscall.h"

#define WAIT4_OPTIONS (WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)
#define WAITID_OPTIONS \
    (WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)

/* 1: *ret; 0: nobody yet (WNOHANG); -ECHILD, -ERESTARTSYS. */
static int wait_for(const struct pids_wait *w, bool no_hang, struct pids_waited *ret)
{
    struct process *p = process_current();
    struct waiter waiter;
    int r;

    waiter_init(&waiter);
    waitq_add(&p->child_waiters, &waiter);
    for (;;) {
        const uint32_t news = __atomic_load_n(&p->child_news, __ATOMIC_ACQUIRE);
        int slept = 0;

        r = family_process_wait(w, ret);
        if (r != 0 || no_hang) {
            break;
        }
        while (slept == 0 && __atomic_load_n(&p->child_news, __ATOMIC_ACQUIRE) == news) {
            slept = thread_wait(WAIT_FOREVER);
        }
        if (slept < 0) {
            /* The signal may be the very news: a child that is there counts more. */
            r = family_process_wait(w, ret);
            r = r == 0 ? -ERESTARTSYS : r;
            break;
        }
    }
    waitq_remove(&waiter);
    if (r == 1 && (w->options & PIDS_WAIT_KEEP) == 0) {
        (void)__atomic_add_fetch(&p->child_utime, ret->utime, __ATOMIC_RELAXED);
        (void)__atomic_add_fetch(&p->child_stime, ret->stime, __ATOMIC_RELAXED);
    }
    return r;
}

static int put_usage(uint64_t user_usage, const struct pids_waited *waited)
{
    return user_usage == 0 ? 0 : rusage_put_times(user_usage, waited->utime, waited->stime);
}

/* A group by number: 0 is the caller's own. */
static int32_t group_id(int32_t pgid)
{
    struct pids_info info;

    if (pgid != 0) {
        return -pgid;
    }
    return family_process_describe(process_current()->pid, &info) < 0 ? INT32_MIN : -info.pgid;
}

SYSCALL_4(wait4, int32_t, pid, uint64_t, user_status, uint32_t, options, uint64_t, user_usage)
{
    struct pids_wait w = {.caller = process_current()->pid, .options = PIDS_WAIT_EXITED};
    struct pids_waited waited;
    uint32_t status;
    int r;

    if ((options & ~(uint32_t)WAIT4_OPTIONS) != 0) {
        return -EINVAL;
    }
    if (pid == INT32_MIN) {
        return -ESRCH;
    }
    w.id = pid > 0 ? pid : pid == -1 ? 0 : group_id(-pid);
    w.options |= (options & WUNTRACED) != 0 ? PIDS_WAIT_STOPPED : 0;
    w.options |= (options & WCONTINUED) != 0 ? PIDS_WAIT_CONTINUED : 0;
    r = wait_for(&w, (options & WNOHANG) != 0, &waited);
    if (r <= 0) {
        return r;
    }
    status = waited.status;
    if (user_status != 0 && user_put(user_status, &status) < 0) {
        return -EFAULT;
    }
    r = put_usage(user_usage, &waited);
    return r < 0 ? r : waited.pid;
}

/* siginfo as waitid fills it. */
static struct siginfo_kernel describe(const struct pids_waited *w)
{
    struct siginfo_kernel info = {.signo = SIGCHLD};
    const uint32_t signo = w->status & 0x7f;

    info.kill.pid = w->pid;
    info.kill.uid = w->uid;
    if (w->status == 0xffff) {
        info.code = CLD_CONTINUED;
        info.kill.value = SIGCONT;
    } else if (signo == 0x7f) {
        info.code = CLD_STOPPED;
        info.kill.value = w->status >> 8 & 0xff;
    } else if (signo != 0) {
        info.code = (w->status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
        info.kill.value = signo;
    } else {
        info.code = CLD_EXITED;
        info.kill.value = w->status >> 8 & 0xff;
    }
    return info;
}

static uint32_t news_wanted(uint32_t options)
{
    return ((options & WEXITED) != 0 ? PIDS_WAIT_EXITED : 0) |
           ((options & WSTOPPED) != 0 ? PIDS_WAIT_STOPPED : 0) |
           ((options & WCONTINUED) != 0 ? PIDS_WAIT_CONTINUED : 0) |
           ((options & WNOWAIT) != 0 ? PIDS_WAIT_KEEP : 0);
}

/* The process behind a descriptor; *ret_no_wait: the descriptor does not wait. */
static int await_pidfd(int fd, struct pids_wait *w, bool *ret_no_wait)
{
    _cleanup_file_ struct file *f = fd < 0 ? NULL : fd_get(fd);
    uint64_t serial;
    int32_t pid;
    int r = fd < 0 ? -EINVAL : pidfd_of(f, &pid, &serial);

    if (r == 0) {
        w->id = pid;
        w->serial = serial;
        *ret_no_wait = file_nonblock(f);
    }
    return r;
}

SYSCALL_5(waitid, int, type, int32_t, id, uint64_t, user_info, uint32_t, options, uint64_t,
          user_usage)
{
    struct pids_wait w = {.caller = process_current()->pid, .options = news_wanted(options)};
    struct siginfo_kernel info = {0};
    struct pids_waited waited;
    bool no_wait = false;
    int r;

    if ((options & ~(uint32_t)WAITID_OPTIONS) != 0 ||
        (options & (WEXITED | WSTOPPED | WCONTINUED)) == 0) {
        return -EINVAL;
    }
    switch (type) {
    case P_ALL: w.id = 0; break;
    case P_PID:
        if (id <= 0) {
            return -EINVAL;
        }
        w.id = id;
        break;
    case P_PGID:
        if (id < 0) {
            return -EINVAL;
        }
        w.id = group_id(id);
        break;
    case P_PIDFD:
        r = await_pidfd(id, &w, &no_wait);
        if (r < 0) {
            return r;
        }
        break;
    default: return -EINVAL;
    }
    r = wait_for(&w, no_wait || (options & WNOHANG) != 0, &waited);
    if (r < 0) {
        return r;
    }
    if (r == 0 && no_wait && (options & WNOHANG) == 0) {
        return -EAGAIN;
    }
    if (r == 1) {
        info = describe(&waited);
        r = put_usage(user_usage, &waited);
        if (r < 0) {
            return r;
        }
    }
    return user_info != 0 ? user_put(user_info, &info) : 0;
}
