/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The process: its beginning and its end. */

#include "libos/proc/process.h"

#include "libos/boot/boot.h"
#include "libos/boot/crash.h"
#include "libos/boot/emulate.h"
#include "libos/family/rpc.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/hooks.h"
#include "libos/host/host.h"
#include "libos/lib/strbuf.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/family_process.h"
#include "libos/proc/futex.h"
#include "libos/proc/image.h"
#include "libos/proc/process_init.h"
#include "libos/proc/slots.h"
#include "libos/proc/thread_new.h"
#include "libos/proc/vfork.h"
#include "libos/shm/local.h"
#include "libos/signal/signal.h"
#include "libos/sys/capability.h"
#include "libos/sys/limits.h"
#include "libos/sys/sysv_ipc.h"
#include "libos/sys/trace.h"
#include "libos/time/clock.h"

#include <linux/signal.h>
#include <linux/time.h>

/* A container's first process: what it sees in it is up to us. */
#define FIRST_PID 1

static struct process g_process;

struct thread *thread_current(void)
{
    struct thread *t;

    /* TP_CURRENT is the first word of the control page. */
    __asm__("movq %%gs:0, %0" : "=r"(t));
    return t;
}

struct process *process_current(void)
{
    const struct thread *t = thread_current();

    return t == NULL ? &g_process : t->process;
}

struct process *process_first(void)
{
    return &g_process;
}

static uint64_t memory_used(void)
{
    struct page_counters c;

    page_counters(&c);
    return c.committed << NACRE_PAGE_SHIFT;
}

static void format_privileges(struct strbuf *out)
{
    capability_format(out);
    strbuf_printf(out, "NoNewPrivs:\t%d\n", ident_no_new_privs());
}

int process_init(struct thread_page *tp)
{
    struct process *p = &g_process;
    struct thread *t;
    int r;

    p->pid = FIRST_PID;
    p->identity = identity_initial;
    p->next_tid = FIRST_PID + 1;
    list_init(&p->threads);
    waitq_init(&p->child_waiters);
    p->exit_signal = SIGCHLD;
    p->start_time = clock_now(CLOCK_MONOTONIC);
    r = slots_init(tp);
    if (r == 0) {
        r = thread_alloc(p, FIRST_PID, &t);
    }
    if (r < 0) {
        return r;
    }
    t->arch = tp;
    tp->current = t;
    r = signal_init_process(p);
    if (r == 0) {
        r = signal_init_thread(t, NULL);
    }
    if (r == 0) {
        r = fs_process_init(p);
    }
    if (r < 0) {
        return r;
    }
    list_insert(&p->threads, &t->node);
    p->thread_count = 1;
    fs_hooks()->auxv = image_auxv;
    fs_hooks()->cmdline = image_cmdline;
    fs_hooks()->cpu_times = image_cpu_times;
    fs_hooks()->cpuid = emulate_cpuid;
    fs_hooks()->environ = image_environ;
    fs_hooks()->format_groups = ident_format_groups;
    fs_hooks()->format_maps = mm_format_maps;
    fs_hooks()->format_privileges = format_privileges;
    fs_hooks()->in_group = ident_in_group;
    fs_hooks()->memory_sizes = mm_sizes;
    fs_hooks()->memory_used = memory_used;
    return family_process_init();
}

/* Everybody else out of the application: they see WORK_EXIT on their way or in their wait and never
 * come back. */
static void tell_others(struct process *p, const struct thread *self)
{
    list_for_each (it, &p->threads) {
        struct thread *t = list_entry(it, struct thread, node);

        if (t == self) {
            continue;
        }
        (void)__atomic_or_fetch(&t->work, WORK_EXIT, __ATOMIC_RELEASE);
        if (__atomic_load_n(&t->park_state, __ATOMIC_ACQUIRE) != 0) {
            thread_wake(t);
        } else {
            host_kick(t);
        }
    }
}

static bool alone(const struct process *p)
{
    return __atomic_load_n(&p->thread_count, __ATOMIC_ACQUIRE) == 1;
}

/* Only a host that never lets a thread go on makes anybody wait this long. */
#define STOP_PATIENCE_NS 5000000000ull

/* The last one to go wakes us (thread.c). `by_force`: whoever else wants to be the last one does
 * not count; exit_group. */
static int stop_others(struct process *p, bool by_force)
{
    const uint64_t until = clock_now(CLOCK_MONOTONIC) + STOP_PATIENCE_NS;
    struct thread *self = thread_current();
    int r = 0;

    mutex_lock(&p->threads_lock);
    if (p->stopper != NULL && !by_force) {
        r = -EAGAIN;
    } else {
        p->stopper = self;
        tell_others(p, self);
    }
    mutex_unlock(&p->threads_lock);
    while (r == 0 && !alone(p)) {
        r = thread_wait_uninterruptible(until);
    }
    mutex_lock(&p->threads_lock);
    if (p->stopper == self) {
        p->stopper = NULL;
    }
    mutex_unlock(&p->threads_lock);
    return alone(p) ? 0 : -EAGAIN;
}

int process_stop_others(void)
{
    struct process *p = process_current();

    return alone(p) ? 0 : stop_others(p, /*by_force=*/false);
}

/* wait(2)'s status as a shell and a container engine show it. */
static int host_status_of(uint32_t status)
{
    const uint32_t signo = status & 0x7f;

    return signo != 0 ? 128 + (int)signo : (int)((status >> 8) & 0xff);
}

/* Everything of the process is put away before its parent hears of the end: a pipe it wrote to is
 * at its end when wait returns. */
_noreturn_ static void finish(uint32_t status)
{
    struct process *p = &g_process;

    mm_sync_all();
    futex_thread_exit(thread_current());
    shm_leave();
    sysv_ipc_exit();
    fs_process_exit(p);
    trace_report();
    if (family_role() == FAMILY_MEMBER) {
        uint64_t usage[7];

        host_times(0 /* RUSAGE_SELF */, usage);
        family_process_exit(p->pid, status, usage[0], usage[1]);
    }
    family_leave();
    host_exit(host_status_of(status));
}

_noreturn_ static void end(uint32_t status)
{
    struct process *p = process_current();
    uint32_t nobody = 0;

    if (p->vfork != NULL) {
        vfork_exit(status);
    }
    if (!__atomic_compare_exchange_n(&p->exiting, &nobody, 1u + (status & 0xffff), false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        thread_exit((int)status); /* somebody else's exit_group came first */
    }
    if (!alone(p)) {
        (void)stop_others(p, /*by_force=*/true);
    }
    finish(status);
}

void process_exit(int status)
{
    end(((uint32_t)status & 0xff) << 8);
}

void process_die(int signo, bool core, const struct cpu_context *ctx)
{
    if (core && ctx != NULL) {
        crash_report(signo, ctx);
    }
    end((uint32_t)signo); /* RLIMIT_CORE is 0: nothing was dumped */
}

void process_vanish(void)
{
    host_exit(host_status_of(SIGKILL));
}
