/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Threads: 1:1 on TCS. */

#include "libos/proc/thread.h"

#include <linux/sched.h>
#include <linux/signal.h>

#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/boot/hostcall.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/user.h"
#include "libos/proc/fork.h"
#include "libos/proc/freeze.h"
#include "libos/proc/futex.h"
#include "libos/proc/park.h"
#include "libos/proc/process.h"
#include "libos/proc/process_init.h"
#include "libos/proc/service.h"
#include "libos/proc/slots.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/thread_new.h"
#include "libos/proc/vfork.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"

int thread_alloc(struct process *p, int32_t tid, struct thread **ret)
{
    struct thread *t = kzalloc(sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    list_init(&t->node);
    ref_init(&t->refs);
    t->process = p;
    t->tid = tid;
    t->host_wake_fd = -1;
    *ret = t;
    return 0;
}

void thread_put(struct thread *t)
{
    if (t != NULL && ref_put(&t->refs)) {
        kfree(t);
    }
}

struct thread *thread_find(struct process *p, int32_t tid)
{
    struct thread *found = NULL;

    mutex_lock(&p->threads_lock);
    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (t->tid == tid) {
            ref_get(&t->refs);
            found = t;
            break;
        }
    }
    mutex_unlock(&p->threads_lock);
    return found;
}

/* ---- parking ---- */

uint32_t park_begin(struct thread *t)
{
    struct thread_page *tp = t->arch;
    const uint32_t seq = __atomic_load_n(&tp->park_seq, __ATOMIC_SEQ_CST);

    __atomic_store_n(tp->park, seq, __ATOMIC_SEQ_CST);
    return seq;
}

uint32_t park_advance(struct thread *t)
{
    struct thread_page *tp = __atomic_load_n(&t->arch, __ATOMIC_ACQUIRE);

    /* NULL: it has no place to sleep in yet. */
    return tp == NULL ? 0 : __atomic_add_fetch(&tp->park_seq, 1, __ATOMIC_SEQ_CST);
}

uint64_t park_collect_host_signals(void)
{
    struct thread_page *tp = thread_page();
    uint64_t *word = &tp->block->signals;
    uint64_t bits = tp->held_signals;

    tp->held_signals = 0;
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != 0) {
        bits |= __atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL);
    }
    return bits;
}

/* The bits are the host's word; the signal layer takes only what may come from outside. */
void park_take_host_signals(void)
{
    const uint64_t bits = park_collect_host_signals();

    if (bits != 0) {
        signal_from_host(bits);
    }
}

void park_hold_host_signals(void)
{
    struct thread_page *tp = thread_page();

    tp->held_signals = park_collect_host_signals();
    if (tp->held_signals != 0) {
        (void)__atomic_or_fetch(&tp->current->work, WORK_SIGNAL, __ATOMIC_RELEASE);
    }
}

void thread_take_work(struct thread *t, struct cpu_context *ctx, int64_t number)
{
    if ((__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & WORK_EXIT) != 0) {
        thread_exit(0);
    }
    signal_deliver(ctx, number); /* takes host signals over */
}

/* ---- the end of a thread ---- */

/* The first thread's host thread carries the whole enclave, so it stays when its thread ends (a
 * zombie leader, as in Linux) and passes host signals on. */
_noreturn_ static void linger(struct thread *t)
{
    service_enlist(t);
    freeze_left();
    for (;;) {
        freeze_rest_begin();
        (void)host_park(park_begin(t), -1);
        freeze_rest_end();
        park_take_host_signals();
        (void)__atomic_and_fetch(&t->work, WORK_EXIT | WORK_FREEZE, __ATOMIC_RELEASE);
    }
}

/* One thread less; threads_lock held. */
static void leave(struct process *p, struct thread *t)
{
    list_remove(&t->node);
    if (__atomic_sub_fetch(&p->thread_count, 1, __ATOMIC_RELEASE) == 1 && p->stopper != NULL &&
        p->stopper != t) {
        thread_wake(p->stopper);
    }
}

void thread_exit(int status)
{
    struct thread *t = thread_current();
    struct thread_page *tp = t->arch;
    struct process *p = t->process;
    bool last;

    futex_thread_exit(t);
    freeze_leaving();
    mutex_lock(&p->threads_lock);
    last = p->thread_count == 1;
    if (!last) {
        leave(p, t);
        signal_retarget(p, UINT64_MAX);
    }
    mutex_unlock(&p->threads_lock);
    if (last) {
        freeze_left();
        process_exit(status);
    }
    signal_free_thread(t);
    /* What the host told this thread of is for others now. The loader passes on what it files from
     * here on. */
    while (tp->held_signals != 0 || __atomic_load_n(&tp->block->signals, __ATOMIC_RELAXED) != 0) {
        park_take_host_signals();
    }
    if (t->host_wake_fd >= 0) {
        (void)host_close(t->host_wake_fd);
        t->host_wake_fd = -1;
    }
    if (tp->measured.index == 0) {
        linger(t);
    }
    thread_put(t);
    slots_put(tp);
    freeze_left();
    hostcall_thread_done();
}

SYSCALL_1(exit, int, status)
{
    thread_exit(status);
}

SYSCALL_1(exit_group, int, status)
{
    process_exit(status);
}

/* ---- a new thread ---- */

/* What a thread must share with its maker: it is the same process or it is not a thread. */
#define THREAD_MUST (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

/* Runs on the new thread, on its own stack, before its first application instruction. */
void thread_entry(struct thread_page *tp, uint64_t block)
{
    struct thread *t = tp->current;

    if (!boot_take_block(tp, block)) {
        hostcall_leave_for_good();
    }
    thread_page_note_signals(tp); /* filed before there was an enclave to interrupt */
    if (t->service != NULL) {
        service_run(t);
    }
    __asm__ volatile("wrfsbase %0" : : "r"(t->fs_base));
    enter_app();
}

/* Not inlined: tools/image_check.py knows by name who may read the x87 control word. */
static _noinline_ void copy_float_control(struct thread_page *tp)
{
    uint16_t x87;
    uint32_t mxcsr;

    __asm__("fnstcw %0" : "=m"(x87));
    __asm__("stmxcsr %0" : "=m"(mxcsr));
    tp->x87_control = x87;
    tp->mxcsr = mxcsr;
}

/* The child's first context: the caller's, with its own stack and a result of 0. */
static void prepare_context(struct thread_page *tp, const struct clone_request *q)
{
    const struct cpu_context *parent = thread_current()->context;
    struct cpu_context *ctx = (struct cpu_context *)(tp->kstack - sizeof(*ctx));

    *ctx = *parent;
    ctx->rax = 0;
    if (q->stack != 0) {
        ctx->rsp = q->stack;
    }
    /* thread_entry begins below the frame that enter_app will use. */
    tp->stack_top = tp->kstack - sizeof(*ctx);
}

static int store_tids(const struct clone_request *q, int32_t tid)
{
    if ((q->flags & CLONE_PARENT_SETTID) != 0 && user_put(q->parent_tid, &tid) < 0) {
        return -EFAULT;
    }
    if ((q->flags & CLONE_CHILD_SETTID) != 0 && user_put(q->child_tid, &tid) < 0) {
        return -EFAULT;
    }
    return 0;
}

static int32_t new_tid(struct process *p)
{
    return __atomic_fetch_add(&p->next_tid, 1, __ATOMIC_RELAXED);
}

static int make_thread(const struct clone_request *q, struct thread **ret)
{
    struct thread *self = thread_current();
    struct process *p = self->process;
    struct thread *t;
    int r = thread_alloc(p, new_tid(p), &t);

    if (r < 0) {
        return r;
    }
    r = signal_init_thread(t, self);
    if (r < 0) {
        thread_put(t);
        return r;
    }
    __builtin_memcpy(t->comm, self->comm, sizeof(t->comm));
    __builtin_memcpy(t->affinity, self->affinity, sizeof(t->affinity));
    t->nice = self->nice;
    if ((q->flags & CLONE_SETTLS) != 0) {
        t->fs_base = q->tls;
    } else {
        __asm__("rdfsbase %0" : "=r"(t->fs_base));
    }
    if ((q->flags & CLONE_CHILD_CLEARTID) != 0) {
        t->clear_child_tid = q->child_tid;
    }
    *ret = t;
    return 0;
}

static void drop_thread(struct thread *t)
{
    signal_free_thread(t);
    thread_put(t);
}

static void prepare(struct thread_page *tp, const void *arg)
{
    prepare_context(tp, arg);
    copy_float_control(tp);
}

static int64_t clone_thread(const struct clone_request *q)
{
    struct process *p = process_current();
    struct thread *t;
    int32_t tid;
    int r = make_thread(q, &t);

    if (r < 0) {
        return r;
    }
    tid = t->tid;
    r = store_tids(q, tid);
    if (r < 0) {
        drop_thread(t);
        return r;
    }
    mutex_lock(&p->threads_lock);
    if (__atomic_load_n(&p->exiting, __ATOMIC_ACQUIRE) != 0 || p->stopper != NULL) {
        r = -EAGAIN;
    } else {
        list_insert(&p->threads, &t->node);
        __atomic_add_fetch(&p->thread_count, 1, __ATOMIC_RELEASE);
    }
    mutex_unlock(&p->threads_lock);
    if (r == 0) {
        r = slots_start(t, prepare, q);
        if (r < 0) {
            mutex_lock(&p->threads_lock);
            leave(p, t);
            mutex_unlock(&p->threads_lock);
        }
    }
    if (r < 0) {
        drop_thread(t);
        return r;
    }
    return tid;
}

/* Name spaces are the container's; what two processes would share (memory, descriptors, working
 * directory, handlers) two enclaves cannot. */
#define CLONE_PROCESS_REFUSED                                                             \
    (CLONE_FILES | CLONE_FS | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
     CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_PTRACE)

static int64_t refuse_clone(uint64_t flags)
{
    libos_log(LOG_INFO, "clone(0x%lx): processes cannot share that (docs/processes.md)", flags);
    return (flags & (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                     CLONE_NEWNET | CLONE_NEWCGROUP)) != 0
               ? -EPERM
               : -ENOSYS;
}

static int64_t do_clone_request(const struct clone_request *q)
{
    /* What Linux refuses first, whatever is to be made. */
    if (((q->flags & CLONE_THREAD) != 0 && (q->flags & CLONE_SIGHAND) == 0) ||
        ((q->flags & CLONE_SIGHAND) != 0 && (q->flags & CLONE_VM) == 0) ||
        (q->flags & (CLONE_FS | CLONE_NEWNS)) == (CLONE_FS | CLONE_NEWNS) ||
        ((q->flags & CLONE_PIDFD) != 0 && (q->flags & (CLONE_THREAD | CLONE_DETACHED)) != 0) ||
        ((q->flags & CLONE_PIDFD) != 0 && (q->flags & CLONE_PARENT_SETTID) != 0 &&
         q->pidfd == q->parent_tid) ||
        ((q->flags & CLONE_SIGHAND) != 0 && (q->flags & CLONE_CLEAR_SIGHAND) != 0)) {
        return -EINVAL;
    }
    if ((q->flags & CLONE_THREAD) != 0) {
        return (q->flags & THREAD_MUST) != THREAD_MUST ? -EINVAL : clone_thread(q);
    }
    if ((q->flags & (CLONE_SIGHAND | CLONE_PROCESS_REFUSED)) != 0) {
        return refuse_clone(q->flags);
    }
    if ((q->flags & CLONE_VM) != 0) {
        return (q->flags & CLONE_VFORK) == 0 ? refuse_clone(q->flags) : vfork_begin(q);
    }
    return fork_process(q);
}

SYSCALL_5(clone, uint64_t, flags, uint64_t, stack, uint64_t, parent_tid, uint64_t, child_tid,
          uint64_t, tls)
{
    const struct clone_request q = {
        .flags = (uint32_t)flags & ~(uint64_t)CSIGNAL,
        .exit_signal = flags & CSIGNAL,
        .stack = stack,
        .pidfd = parent_tid, /* one argument for both: not at the same time */
        .parent_tid = parent_tid,
        .child_tid = child_tid,
        .tls = tls,
    };

    return do_clone_request(&q);
}

#define CLONE3_FLAGS (UINT32_MAX | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP)

SYSCALL_2(clone3, uint64_t, user_args, uint64_t, size)
{
    struct clone_args a = {0};
    struct clone_request q;

    if (size < CLONE_ARGS_SIZE_VER0) {
        return -EINVAL;
    }
    if (size > NACRE_PAGE_SIZE) {
        return -E2BIG;
    }
    if (user_copy_in(&a, user_args, MIN(size, sizeof(a))) < 0) {
        return -EFAULT;
    }
    for (uint64_t at = sizeof(a); at < size; at++) {
        uint8_t extra;

        if (user_get(&extra, user_args + at) < 0) {
            return -EFAULT;
        }
        if (extra != 0) {
            return -E2BIG;
        }
    }
    if (a.set_tid_size != 0 || (a.flags & CLONE_INTO_CGROUP) != 0) {
        return -EPERM;
    }
    if (a.exit_signal > SIGNAL_COUNT || (a.flags & ~CLONE3_FLAGS) != 0) {
        return -EINVAL;
    }
    if ((a.stack == 0) != (a.stack_size == 0) || (a.flags & (CLONE_DETACHED | CSIGNAL)) != 0) {
        return -EINVAL;
    }
    q = (struct clone_request){
        .flags = a.flags,
        .exit_signal = a.exit_signal,
        .stack = a.stack + a.stack_size,
        .pidfd = a.pidfd,
        .parent_tid = a.parent_tid,
        .child_tid = a.child_tid,
        .tls = a.tls,
    };
    return do_clone_request(&q);
}

SYSCALL_0(fork)
{
    return fork_process(&(const struct clone_request){.exit_signal = SIGCHLD});
}

SYSCALL_0(vfork)
{
    return vfork_begin(
        &(const struct clone_request){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

/* ---- arch_prctl ---- */

#define ARCH_SET_GS_CODE 0x1001
#define ARCH_SET_FS_CODE 0x1002
#define ARCH_GET_FS_CODE 0x1003
#define ARCH_GET_GS_CODE 0x1004

SYSCALL_2(arch_prctl, int, code, uint64_t, address)
{
    uint64_t value;

    switch (code) {
    case ARCH_SET_FS_CODE:
        if (address >= g_user_end) {
            return -EPERM;
        }
        __asm__ volatile("wrfsbase %0" : : "r"(address));
        thread_current()->fs_base = address;
        return 0;
    case ARCH_GET_FS_CODE: __asm__("rdfsbase %0" : "=r"(value)); return user_put(address, &value);
    case ARCH_GET_GS_CODE: value = 0; return user_put(address, &value);
    case ARCH_SET_GS_CODE:
        libos_log(LOG_WARNING, "arch_prctl(ARCH_SET_GS): GS belongs to the library OS");
        return -EINVAL;
    default: return -EINVAL;
    }
}
