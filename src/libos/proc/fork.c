/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The parent's side: a number, a place in the family, everybody else at the gate, a process of the
 * host, the snapshot, and everybody goes on. What the child must know stands in g_fork, static data
 * that travels with the rest.
 *
 * The child's side: it wakes up with the memory of its parent, on the first thread slot of its own
 * enclave, and puts right what is not the same: threads that do not exist, descriptors of the host
 * that are the parent's alone, pending signals, timers, channels of the family. Then it joins the
 * family under its own key and goes where its parent's call returns, with 0.
 */
#include "libos/proc/fork.h"

#include <linux/sched.h>
#include <linux/signal.h>

#include "core/ct.h"
#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/elf/exec.h"
#include "libos/family/rpc.h"
#include "libos/family/share.h"
#include "libos/fs/fd_table.h"
#include "libos/fs/fork.h"
#include "libos/fs/fs_context.h"
#include "libos/host/host.h"
#include "libos/host/host_mem.h"
#include "libos/lib/simd.h"
#include "libos/libos.h"
#include "libos/mm/fork.h"
#include "libos/mm/keep.h"
#include "libos/mm/kmem.h"
#include "libos/mm/kmem_backend.h"
#include "libos/mm/page.h"
#include "libos/mm/user.h"
#include "libos/proc/family_process.h"
#include "libos/proc/freeze.h"
#include "libos/proc/futex_family.h"
#include "libos/proc/pidfd.h"
#include "libos/proc/process.h"
#include "libos/proc/service.h"
#include "libos/proc/slots.h"
#include "libos/proc/snapshot.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/vfork.h"
#include "libos/shm/link.h"
#include "libos/shm/local.h"
#include "libos/shm/sysv.h"
#include "libos/signal/state.h"
#include "libos/sys/limits.h"
#include "libos/sys/syscall.h"
#include "libos/sys/sysv_ipc.h"
#include "libos/sys/timer.h"
#include "libos/sys/trace.h"
#include "libos/time/timer.h"

#include <linux/resource.h>

static struct {
    uint32_t busy; /* one fork at a time */
    struct simd_state vectors;
    struct cpu_context context;
    struct thread *thread; /* which one goes on in the child */
    uint64_t fs_base;
    uint64_t flags; /* CLONE_CHILD_* */
    uint64_t child_tid;
    int32_t pid;
    int pidfd;     /* CLONE_PIDFD: the parent's alone, closed in the child; -1 */
    int parent_fd; /* the parent's end of the stream: closed in the child */
    struct family_ticket ticket;
    bool executes;
    struct program program; /* what to execute instead of going on */
} g_fork;

/* ---- the parent ---- */

static bool reaps_self(const struct process *p)
{
    const struct signal_action *a = &p->signals->actions[SIGCHLD - 1];

    return a->handler == SIG_IGN_VALUE || (a->flags & SA_NOCLDWAIT) != 0;
}

int32_t fork_number(const struct clone_request *q, uint32_t member)
{
    const struct process *p = process_current();
    struct pids_new n = {
        .parent = p->pid,
        .member = member,
        .uid = p->uid,
        .exit_signal = (uint32_t)q->exit_signal,
        .limit = p->euid == 0 ? UINT64_MAX : limit_current(RLIMIT_NPROC),
        .sibling = (q->flags & CLONE_PARENT) != 0,
        .reaps_self = reaps_self(p),
    };

    __builtin_memcpy(n.comm, thread_current()->comm, sizeof(n.comm));
    return family_process_create(&n);
}

/* With everybody at the gate: the process of the host, and all we are into its enclave. */
static int make_child(bool with_application, struct handshake_keys *ret_keys, int *ret_fd)
{
    int fd;
    int r;

    (void)keep_drop_all();
    r = share_begin(thread_current()->process, g_fork.ticket.member);
    if (with_application) {
        r = r < 0 ? r : mm_share();
        r = r < 0 ? r : shm_clone(g_fork.ticket.member);
    }
    r = r < 0 ? r : host_process_fork(&fd);
    if (r < 0) {
        return r;
    }
    g_fork.parent_fd = fd;
    r = freeze_late(); /* until here others could need a page of ours to answer */
    r = r < 0 ? r : snapshot_save(fd, with_application, ret_keys);
    if (r < 0) {
        libos_log(LOG_WARNING, "fork: the child did not come up: error %d", -r);
        (void)host_close(fd);
        return -EAGAIN;
    }
    *ret_fd = fd;
    return 0;
}

/* The child stands; now it joins the family, with everybody here going on meanwhile. */
static int await_joined(int fd, struct handshake_keys *keys)
{
    const int r = snapshot_await(fd, keys, SNAPSHOT_JOINED);

    (void)host_close(fd);
    if (r < 0) {
        libos_log(LOG_WARNING, "fork: the child did not join the family: error %d", -r);
        return -EAGAIN;
    }
    return 0;
}

static int snapshot_child(bool with_application)
{
    struct handshake_keys keys;
    int fd = -1;
    int r = freeze_begin();

    if (r < 0) {
        return -EAGAIN;
    }
    r = make_child(with_application, &keys, &fd);
    share_end();
    freeze_end();
    if (r == 0) {
        r = await_joined(fd, &keys);
    }
    ct_wipe(&keys, sizeof(keys));
    return r;
}

/* Two enclaves share no memory. What works all the same goes on, with a word in the log; a lock
 * that would not lock is refused. */
static int check_shared_memory(void)
{
    static uint32_t told;
    const uint32_t kinds = mm_shared_with_children();
    const uint32_t fresh = kinds & ~told;

    told |= kinds;
    if ((fresh & MM_SHARED_FILE) != 0) {
        libos_log(LOG_WARNING,
                  "fork: what is written to a shared mapping of a file other processes see after "
                  "msync or munmap only: two enclaves share no memory (docs/processes.md)");
    }
    if ((kinds & MM_SHARED_SEMAPHORE) != 0) {
        libos_log(LOG_ERROR,
                  "fork refused: the process holds a semaphore of sem_open(3), which could not "
                  "work between processes: two enclaves share no memory (docs/processes.md)");
        return -ENOSYS;
    }
    return 0;
}

/* Until now there was nobody who could have asked what this process runs. */
static int first_fork(void)
{
    int r;

    if (family_role() != FAMILY_ALONE) {
        return 0;
    }
    r = family_become_owner();
    if (r == 0) {
        family_process_show(process_first());
    }
    return r;
}

static int prepare(const struct clone_request *q, struct thread *self)
{
    int r = first_fork();

    if (r == 0 && mm_has_shared()) {
        r = shm_link_start();
    }
    r = r < 0 ? r : family_new_member(&g_fork.ticket);
    if (r < 0) {
        return r == -ENOMEM ? r : -EAGAIN;
    }
    g_fork.pid = fork_number(q, g_fork.ticket.member);
    g_fork.pidfd = -1;
    if (g_fork.pid > 0 && (q->flags & CLONE_PIDFD) != 0) {
        g_fork.pidfd = pidfd_of_child(g_fork.pid, q->pidfd);
        if (g_fork.pidfd < 0) {
            family_process_abandon(g_fork.pid);
            g_fork.pid = g_fork.pidfd;
        }
    }
    if (g_fork.pid < 0) {
        family_forget_member(g_fork.ticket.member);
        return g_fork.pid;
    }
    simd_begin(&g_fork.vectors);
    simd_end(&g_fork.vectors);
    g_fork.thread = self;
    g_fork.context = *self->context;
    g_fork.flags = q->flags;
    g_fork.child_tid = q->child_tid;
    g_fork.executes = false;
    if (q->stack != 0) {
        g_fork.context.rsp = q->stack;
    }
    __asm__("rdfsbase %0" : "=r"(g_fork.fs_base));
    if ((q->flags & CLONE_SETTLS) != 0) {
        g_fork.fs_base = q->tls;
    }
    return 0;
}

static bool enter_alone(void)
{
    uint32_t nobody = 0;

    return __atomic_compare_exchange_n(&g_fork.busy, &nobody, 1, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void leave_alone(void)
{
    ct_wipe(&g_fork.ticket, sizeof(g_fork.ticket));
    __atomic_store_n(&g_fork.busy, 0, __ATOMIC_RELEASE);
}

int64_t fork_process(const struct clone_request *q)
{
    struct thread *self = thread_current();
    int32_t pid;
    int r;

    if (self->process->vfork != NULL) {
        libos_log(LOG_INFO, "fork in a child of vfork before its execve is not supported");
        return -EAGAIN;
    }
    if (!enter_alone()) {
        host_yield();
        return -ERESTARTNOINTR; /* another thread forks: to the gate first */
    }
    r = check_shared_memory();
    r = r < 0 ? r : prepare(q, self);
    if (r < 0) {
        leave_alone();
        return r;
    }
    r = fs_fork_prepare();
    r = r < 0 ? r : snapshot_child(/*with_application=*/true);
    fs_fork_done(r == 0);
    pid = g_fork.pid;
    if (r < 0) {
        family_process_abandon(pid);
        family_forget_member(g_fork.ticket.member);
        if (g_fork.pidfd >= 0) {
            (void)!fd_close(g_fork.pidfd);
        }
    } else {
        if ((q->flags & CLONE_PARENT_SETTID) != 0) {
            (void)!user_put(q->parent_tid, &pid);
        }
        if (g_fork.pidfd >= 0) {
            (void)!user_put(q->pidfd, &g_fork.pidfd);
        }
    }
    leave_alone();
    return r < 0 ? r : pid;
}

int fork_exec(struct program *p)
{
    struct thread *self = thread_current();
    int r;

    while (!enter_alone()) {
        freeze_gate(self);
        host_yield();
    }
    r = first_fork();
    r = r < 0 ? r : family_new_member(&g_fork.ticket);
    if (r == 0) {
        g_fork.thread = self;
        g_fork.pid = self->process->pid;
        g_fork.program = *p;
        g_fork.executes = true;
        g_fork.pidfd = -1;
        r = fs_fork_prepare();
        r = r < 0 ? r : snapshot_child(/*with_application=*/false);
        fs_fork_done(r == 0);
        if (r < 0) {
            family_forget_member(g_fork.ticket.member);
        }
    }
    leave_alone();
    return r < 0 ? -EAGAIN : 0;
}

/* ---- the child ---- */

/* What the other threads of the parent left behind. */
static void forget_thread(struct thread *t)
{
    list_remove(&t->node);
    if (t->host_wake_fd >= 0) {
        (void)host_close(t->host_wake_fd);
    }
    vfork_after_fork(t);
    signal_free_thread(t);
    t->arch = NULL;
    thread_put(t);
}

static void keep_one_thread(struct process *p, struct thread *self)
{
    list_for_each_safe (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (t != self) {
            forget_thread(t);
        }
    }
    p->thread_count = 1;
}

static void reset_thread(struct thread *t, struct thread_page *tp)
{
    t->arch = tp;
    tp->current = t;
    t->tid = t->process->pid;
    t->work = 0;
    t->wake_token = 0;
    t->park_state = 0;
    t->frozen = 0;
    t->clear_child_tid = 0;
    t->robust_list = 0;
    t->robust_list_size = 0;
    if (t->host_wake_fd >= 0) {
        (void)host_close(t->host_wake_fd); /* shared with the parent's */
        t->host_wake_fd = -1;
    }
}

static void become(struct thread *self)
{
    struct process *p = process_first();

    if (self->process == p) {
        keep_one_thread(p, self);
        p->ppid = p->pid;
        p->death_signal = 0;
        p->identity.child_subreaper = false;
    } else {
        vfork_adopt(self);
    }
    p->pid = g_fork.pid;
    p->next_tid = p->pid + 1;
    p->exiting = 0;
    p->child_news = 0;
    p->child_utime = 0;
    p->child_stime = 0;
    waitq_init(&p->child_waiters);
}

static void put_right(struct thread_page *tp, const struct snapshot_link *link)
{
    struct thread *self = g_fork.thread;

    host_fd_closed(g_fork.parent_fd);
    (void)host_fd_opened(link->io.fd);
    page_after_fork(link->committed);
    kmem_after_fork();
    futex_family_after_fork();
    sysv_after_fork();
    sysv_ipc_after_fork();
    shm_after_fork(/*kept=*/!g_fork.executes);
    mm_after_fork(/*kept=*/!g_fork.executes);
    freeze_after_fork();
    tp->current = self;
    self->arch = tp;
    if (slots_init(tp) < 0) {
        libos_panic("fork: the thread slots are not as measured");
    }
    snapshot_after_fork();
    trace_after_fork();
    family_after_fork();
    family_process_after_fork();
    service_after_fork();
    become(self);
    reset_thread(self, tp);
    signal_after_fork(self);
    timers_after_fork();
    timer_calls_after_fork();
    fs_after_fork();
}

_noreturn_ static void go_on(void)
{
    struct thread *self = thread_current();
    struct thread_page *tp = thread_page();
    struct cpu_context *ctx = (struct cpu_context *)(tp->kstack - sizeof(*ctx));
    const int32_t pid = g_fork.pid;

    *ctx = g_fork.context;
    ctx->rax = 0;
    self->context = ctx;
    self->fs_base = g_fork.fs_base;
    __asm__ volatile("wrfsbase %0" : : "r"(g_fork.fs_base));
    if (g_fork.pidfd >= 0) {
        (void)!fd_close(g_fork.pidfd);
    }
    if ((g_fork.flags & CLONE_CLEAR_SIGHAND) != 0) {
        signal_reset_handlers(self->process);
    }
    if ((g_fork.flags & CLONE_CHILD_SETTID) != 0) {
        (void)!user_put(g_fork.child_tid, &pid);
    }
    if ((g_fork.flags & CLONE_CHILD_CLEARTID) != 0) {
        self->clear_child_tid = g_fork.child_tid;
    }
    g_fork.busy = 0;
    simd_end(&g_fork.vectors);
    return_to_app();
    __builtin_unreachable();
}

void fork_child_start(struct thread_page *tp, int fd)
{
    struct snapshot_link link;
    int r;

    snapshot_load(fd, &link);
    put_right(tp, &link);
    link.io.early = false;
    r = snapshot_tell(&link, SNAPSHOT_STANDS);
    r = r < 0 ? r : family_join(&g_fork.ticket);
    r = r < 0 ? r : shm_join();
    r = r < 0 ? r : share_join(thread_current()->process);
    if (r == 0) {
        pidfd_after_join();
    }
    if (r == 0 && g_fork.executes) {
        r = family_process_move(g_fork.pid, g_fork.ticket.member);
    }
    ct_wipe(&g_fork.ticket, sizeof(g_fork.ticket));
    r = r < 0 ? r : snapshot_tell(&link, SNAPSHOT_JOINED);
    if (r < 0) {
        libos_log(LOG_ERROR, "fork: the child cannot join its family: error %d", -r);
        process_vanish();
    }
    snapshot_part(&link);
    signal_from_host(link.io.signals);
    if (g_fork.executes) {
        g_fork.busy = 0;
        exec_opened(&g_fork.program);
    }
    go_on();
}
