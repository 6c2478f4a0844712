/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/pidfd.h"

#include <linux/magic.h>
#include <linux/pidfd.h>
#include <linux/signal.h>

#include "libos/fs/fd_table.h"
#include "libos/fs/poll.h"
#include "libos/lib/list.h"
#include "libos/lib/str.h"
#include "libos/lib/strbuf.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

struct pidfd {
    struct list node; /* g_all */
    struct waitq waiters;
    uint64_t serial;
    int32_t pid;
    uint32_t ended; /* it ended, which lasts */
};

static struct spinlock g_lock; /* over the list; queues are woken under it */
static struct list g_all = {&g_all, &g_all};

/* Has it ended? The owner is asked even when it would tell: its word may still be on the way when
 * wait(2) has returned. Watching is part of asking. */
static bool has_ended(struct pidfd *p)
{
    if (__atomic_load_n(&p->ended, __ATOMIC_ACQUIRE) == 0 &&
        family_process_watch(p->pid, p->serial) == 1) {
        __atomic_store_n(&p->ended, 1, __ATOMIC_RELEASE);
    }
    return __atomic_load_n(&p->ended, __ATOMIC_ACQUIRE) != 0;
}

static uint32_t pidfd_poll(struct file *f, struct poll_table *pt)
{
    struct pidfd *p = f->priv;

    poll_queue(pt, &p->waiters);
    return has_ended(p) ? EV_READ : 0;
}

static void pidfd_fdinfo(struct file *f, struct strbuf *out)
{
    struct pidfd *p = f->priv;
    struct pids_info info;
    const int32_t shown =
        family_process_describe(p->pid, &info) < 0 || info.serial != p->serial ? -1 : p->pid;

    strbuf_printf(out, "Pid:\t%d\nNSpid:\t%d\n", shown, shown);
}

static void pidfd_release(struct file *f)
{
    struct pidfd *p = f->priv;

    spin_lock(&g_lock);
    list_remove(&p->node);
    spin_unlock(&g_lock);
    kfree(p);
}

static const struct file_ops g_pidfd_ops = {
    .name = "anon_inode:[pidfd]",
    .poll = pidfd_poll,
    .fdinfo = pidfd_fdinfo,
    .release = pidfd_release,
};

int pidfd_create(int32_t pid, uint32_t flags, struct file **ret)
{
    struct pids_info info;
    struct pidfd *p;
    int r = family_process_describe(pid, &info);

    if (r < 0) {
        return r;
    }
    p = kzalloc(sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    p->pid = pid;
    p->serial = info.serial;
    waitq_init(&p->waiters);
    r = file_anonymous(&g_pidfd_ops, 0, O_RDWR | flags, FILE_READ | FILE_WRITE | FILE_STREAM, p,
                       ret);
    if (r < 0) {
        kfree(p);
        return r;
    }
    spin_lock(&g_lock);
    list_insert(&g_all, &p->node);
    spin_unlock(&g_lock);
    return 0;
}

static int install(int32_t pid, uint32_t flags)
{
    struct file *f = NULL;
    int r = pidfd_create(pid, flags, &f);

    if (r < 0) {
        return r;
    }
    r = fd_install(f, /*cloexec=*/true, 0);
    if (r < 0) {
        file_put(f);
    }
    return r;
}

int pidfd_of_child(int32_t pid, uint64_t user_fd)
{
    int32_t was;

    if (user_get(&was, user_fd) < 0 || user_put(user_fd, &was) < 0) {
        return -EFAULT;
    }
    return install(pid, 0);
}

int pidfd_of(const struct file *f, int32_t *ret_pid, uint64_t *ret_serial)
{
    const struct pidfd *p = f == NULL || f->ops != &g_pidfd_ops ? NULL : f->priv;

    if (p == NULL) {
        return -EBADF;
    }
    *ret_pid = p->pid;
    *ret_serial = p->serial;
    return 0;
}

void pidfd_ended(int32_t pid, uint64_t serial)
{
    spin_lock(&g_lock);
    list_for_each (it, &g_all) {
        struct pidfd *p = list_entry(it, struct pidfd, node);

        if (p->pid == pid && p->serial == serial) {
            __atomic_store_n(&p->ended, 1, __ATOMIC_RELEASE);
            waitq_wake_all(&p->waiters, EV_READ);
        }
    }
    spin_unlock(&g_lock);
}

void pidfd_after_join(void)
{
    /* The only thread that could change the list is this one. */
    list_for_each (it, &g_all) {
        struct pidfd *p = list_entry(it, struct pidfd, node);

        if (has_ended(p)) {
            waitq_wake_all(&p->waiters, EV_READ);
        }
    }
}

/* ---- system calls ---- */

SYSCALL_2(pidfd_open, int32_t, pid, uint32_t, flags)
{
    if ((flags & ~(uint32_t)PIDFD_NONBLOCK) != 0 || pid <= 0) {
        return -EINVAL;
    }
    return install(pid, flags);
}

/* An open /proc/PID names its process as well. -EBADF: it is none. */
static int of_directory(const struct file *f, int32_t *ret_pid, uint64_t *ret_serial)
{
    const struct dentry *d = f == NULL ? NULL : f->path.dentry;
    struct pids_info info;
    uint64_t pid;

    if (d == NULL || d->sb == NULL || d->sb->magic != PROC_SUPER_MAGIC || d->parent == d ||
        d->parent->parent != d->parent || !str_to_u64(d->name, d->name_len, &pid) ||
        pid > INT32_MAX) {
        return -EBADF;
    }
    if (family_process_describe((int32_t)pid, &info) < 0) {
        return -ESRCH;
    }
    *ret_pid = (int32_t)pid;
    *ret_serial = info.serial;
    return 0;
}

/* What the sender says of itself, or what it made up: to others nobody may pose as kill() or as
 * the kernel. */
static int get_info(uint64_t user_info, int signo, bool to_self, struct siginfo_kernel *ret)
{
    const struct process *p = process_current();

    if (user_info == 0) {
        *ret = (struct siginfo_kernel){.signo = signo, .code = SI_USER};
        ret->kill.pid = p->pid;
        ret->kill.uid = p->uid;
        return 0;
    }
    if (user_get(ret, user_info) < 0) {
        return -EFAULT;
    }
    if (ret->signo != signo) {
        return -EINVAL;
    }
    return !to_self && (ret->code >= 0 || ret->code == SI_TKILL) ? -EPERM : 0;
}

SYSCALL_4(pidfd_send_signal, int, fd, int, signo, uint64_t, user_info, uint32_t, flags)
{
    struct process *self = process_current();
    _cleanup_file_ struct file *f = NULL;
    struct siginfo_kernel info;
    uint64_t serial;
    int32_t pid;
    int r;

    if (flags != 0) {
        return -EINVAL;
    }
    f = fd_get(fd);
    r = pidfd_of(f, &pid, &serial);
    r = r < 0 ? of_directory(f, &pid, &serial) : r;
    r = r < 0 ? r : get_info(user_info, signo, pid == self->pid, &info);
    if (r == 0 && (signo < 0 || signo > SIGNAL_COUNT)) {
        r = -EINVAL;
    }
    r = r < 0 ? r : family_process_kill_exact(self->pid, pid, serial, &info);
    if (r <= 0) {
        return r;
    }
    /* Itself: before the call returns. */
    return signo == 0 ? 0 : signal_send_process(self, signo, &info);
}

SYSCALL_3(pidfd_getfd, int, fd, int, target, uint32_t, flags)
{
    _cleanup_file_ struct file *f = NULL;
    _cleanup_file_ struct file *taken = NULL;
    uint64_t serial;
    int32_t pid;
    int r;

    if (flags != 0) {
        return -EINVAL;
    }
    f = fd_get(fd);
    r = pidfd_of(f, &pid, &serial);
    if (r < 0) {
        return r;
    }
    if (pid != process_current()->pid) {
        if (has_ended(f->priv)) {
            return -ESRCH;
        }
        libos_log(LOG_INFO,
                  "pidfd_getfd: process %d is another enclave, which gives its "
                  "descriptors by SCM_RIGHTS only (docs/processes.md)",
                  pid);
        return -EPERM;
    }
    taken = fd_get_path(target);
    if (taken == NULL) {
        return -EBADF;
    }
    r = fd_install(taken, /*cloexec=*/true, 0);
    if (r >= 0) {
        (void)TAKE_PTR(taken);
    }
    return r;
}
