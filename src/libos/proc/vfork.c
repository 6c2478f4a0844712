/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/vfork.h"

#include <linux/sched.h>

#include "libos/boot/entry.h"
#include "libos/elf/exec.h"
#include "libos/family/rpc.h"
#include "libos/fs/file.h"
#include "libos/fs/fs_context.h"
#include "libos/host/host.h"
#include "libos/lib/simd.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/futex.h"
#include "libos/proc/pidfd.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/thread_new.h"
#include "libos/signal/state.h"

/* The parent's thread while its child runs on it; on the heap. */
struct vfork {
    struct simd_state vectors; /* 64-byte aligned: first, on pages of its own */
    struct thread *parent;
    struct thread *child;
    struct cpu_context context;
    uint64_t fs_base;
    struct process process; /* the child's */
};
#define VFORK_PAGES ((sizeof(struct vfork) + NACRE_PAGE_SIZE - 1) >> NACRE_PAGE_SHIFT)

struct thread *vfork_running(struct thread *t)
{
    const struct vfork *v = __atomic_load_n(&t->vfork, __ATOMIC_ACQUIRE);

    return v == NULL ? t : v->child;
}

void vfork_with_process(int32_t pid, void (*f)(struct process *p, const void *arg), const void *arg)
{
    struct process *first = process_first();

    if (first->pid == pid) {
        f(first, arg);
        return;
    }
    mutex_lock(&first->threads_lock);
    list_for_each (it, &first->threads) {
        struct vfork *v =
            __atomic_load_n(&list_entry(it, struct thread, node)->vfork, __ATOMIC_ACQUIRE);

        if (v != NULL && v->process.pid == pid) {
            f(&v->process, arg);
            break;
        }
    }
    mutex_unlock(&first->threads_lock);
}

/* ---- the beginning ---- */

static int make_process(struct vfork *v, const struct clone_request *q, const struct process *from)
{
    struct process *p = &v->process;
    int r;

    *p = *from;
    p->files = NULL;
    p->fs = NULL;
    p->signals = NULL;
    p->threads_lock = (struct mutex){0};
    p->ppid = from->pid;
    p->exiting = 0;
    p->vfork = v;
    p->stopper = NULL;
    p->exe_path = from->exe_path == NULL ? NULL : kstrdup(from->exe_path);
    if (p->exe_file != NULL) {
        (void)file_get(p->exe_file);
    }
    list_init(&p->threads);
    waitq_init(&p->child_waiters);
    p->identity.lock = (struct spinlock){0};
    p->identity.child_subreaper = false;
    p->child_utime = 0;
    p->child_stime = 0;
    p->death_signal = 0;
    r = fs_process_clone(from, p);
    if (r == 0) {
        r = signal_init_process(p);
    }
    if (r == 0) {
        spin_lock(&from->signals->lock);
        __builtin_memcpy(p->signals->actions, from->signals->actions, sizeof(p->signals->actions));
        spin_unlock(&from->signals->lock);
        if ((q->flags & CLONE_CLEAR_SIGHAND) != 0) {
            signal_reset_handlers(p);
        }
    }
    return r;
}

static int make_thread(struct vfork *v, const struct clone_request *q)
{
    struct thread *parent = v->parent;
    struct thread *t;
    int r = thread_alloc(&v->process, v->process.pid, &t);

    if (r < 0) {
        return r;
    }
    v->child = t;
    r = signal_init_thread(t, parent);
    if (r < 0) {
        return r;
    }
    __builtin_memcpy(t->comm, parent->comm, sizeof(t->comm));
    __builtin_memcpy(t->affinity, parent->affinity, sizeof(t->affinity));
    t->nice = parent->nice;
    t->signals->altstack = parent->signals->altstack;
    t->arch = parent->arch;
    t->context = parent->context;
    t->fs_base = (q->flags & CLONE_SETTLS) != 0 ? q->tls : v->fs_base;
    if ((q->flags & CLONE_CHILD_CLEARTID) != 0) {
        t->clear_child_tid = q->child_tid;
    }
    list_insert(&v->process.threads, &t->node);
    v->process.thread_count = 1;
    v->process.next_tid = v->process.pid + 1;
    return 0;
}

static void put_program(struct process *p)
{
    file_put(p->exe_file);
    p->exe_file = NULL;
    kfree((void *)(uintptr_t)p->exe_path);
    p->exe_path = NULL;
}

static void drop(struct vfork *v)
{
    if (v->child != NULL) {
        signal_free_thread(v->child);
        v->child->arch = NULL;
        thread_put(v->child);
    }
    fs_process_exit(&v->process);
    kfree(v->process.signals);
    put_program(&v->process);
    kpages_free(v, VFORK_PAGES);
}

static void set_current(struct thread *t)
{
    struct thread_page *tp = thread_page();

    __atomic_store_n(&tp->current, t, __ATOMIC_RELEASE);
}

static int store_tids(const struct clone_request *q, int32_t pid)
{
    if ((q->flags & CLONE_PARENT_SETTID) != 0 && user_put(q->parent_tid, &pid) < 0) {
        return -EFAULT;
    }
    return (q->flags & CLONE_CHILD_SETTID) != 0 && user_put(q->child_tid, &pid) < 0 ? -EFAULT : 0;
}

/* In the parent's table: the child has a copy of what was there before. */
static int store_pidfd(const struct clone_request *q, int32_t pid)
{
    int fd;

    if ((q->flags & CLONE_PIDFD) == 0) {
        return 0;
    }
    fd = pidfd_of_child(pid, q->pidfd);
    return fd < 0 ? fd : user_put(q->pidfd, &fd);
}

int64_t vfork_begin(const struct clone_request *q)
{
    struct thread *self = thread_current();
    struct vfork *v;
    int r;

    if (self->process->vfork != NULL) {
        libos_log(LOG_INFO, "vfork in a child of vfork before its execve is not supported");
        return -EAGAIN;
    }
    v = kpages_alloc(VFORK_PAGES);
    if (v == NULL) {
        return -ENOMEM;
    }
    __builtin_memset(v, 0, sizeof(*v));
    v->parent = self;
    v->context = *self->context;
    __asm__("rdfsbase %0" : "=r"(v->fs_base));
    r = make_process(v, q, self->process);
    if (r == 0) {
        r = fork_number(q, family_self());
        v->process.pid = r;
        r = r < 0 ? r : make_thread(v, q);
        r = r < 0 ? r : store_tids(q, v->process.pid);
        r = r < 0 ? r : store_pidfd(q, v->process.pid);
        if (r < 0 && v->process.pid > 0) {
            family_process_abandon(v->process.pid);
        }
    }
    if (r < 0) {
        drop(v);
        return r;
    }
    simd_begin(&v->vectors);
    simd_end(&v->vectors);
    if (q->stack != 0) {
        self->context->rsp = q->stack;
    }
    __asm__ volatile("wrfsbase %0" : : "r"(v->child->fs_base));
    __atomic_store_n(&self->vfork, v, __ATOMIC_RELEASE);
    set_current(v->child);
    return 0;
}

/* ---- the end ---- */

/* The parent is on its thread again, with everything as it was at its call; its number. */
static int32_t go_back(struct vfork *v)
{
    struct thread *parent = v->parent;
    const int32_t pid = v->process.pid;

    *parent->context = v->context;
    __asm__ volatile("wrfsbase %0" : : "r"(v->fs_base));
    set_current(parent);
    parent->wake_token = 1;
    mutex_lock(&parent->process->threads_lock); /* whoever looks at the child holds it */
    __atomic_store_n(&parent->vfork, NULL, __ATOMIC_RELEASE);
    /* Whatever came for the parent meanwhile is looked at on its way back. */
    (void)__atomic_or_fetch(&parent->work,
                            WORK_SIGNAL |
                                (__atomic_load_n(&v->child->work, __ATOMIC_ACQUIRE) & WORK_FREEZE),
                            __ATOMIC_RELEASE);
    mutex_unlock(&parent->process->threads_lock);
    simd_end(&v->vectors);
    drop(v);
    return pid;
}

void vfork_exit(uint32_t status)
{
    struct thread *self = thread_current();
    struct vfork *v = self->process->vfork;
    struct cpu_context *ctx = v->parent->context;
    const int32_t pid = v->process.pid;

    futex_thread_exit(self);
    fs_process_exit(&v->process);
    family_process_exit(pid, status, 0, 0);
    (void)go_back(v);
    ctx->rax = (uint64_t)(int64_t)pid;
    return_to_app();
    __builtin_unreachable();
}

int64_t vfork_exec(struct program *p)
{
    struct vfork *v = process_current()->vfork;
    const int r = fork_exec(p);

    if (r < 0) {
        return r;
    }
    program_close(p);
    return go_back(v);
}

void vfork_after_fork(struct thread *t)
{
    if (t->vfork != NULL) {
        struct vfork *v = t->vfork;

        t->vfork = NULL;
        drop(v);
    }
}

void vfork_adopt(struct thread *self)
{
    struct process *first = process_first();
    struct vfork *v = self->process->vfork;
    struct signal_process *parents;

    list_remove(&self->node);
    list_for_each_safe (it, &first->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        list_remove(it);
        if (t->vfork != v) {
            vfork_after_fork(t);
        }
        if (t->host_wake_fd >= 0) {
            (void)host_close(t->host_wake_fd);
        }
        signal_free_thread(t);
        t->arch = NULL;
        thread_put(t);
    }
    parents = first->signals;
    fs_process_exit(first);
    put_program(first);
    kfree(parents);
    *first = v->process;
    first->vfork = NULL;
    first->threads_lock = (struct mutex){0};
    list_init(&first->threads);
    list_insert(&first->threads, &self->node);
    first->thread_count = 1;
    self->process = first;
    kpages_free(v, VFORK_PAGES);
}
