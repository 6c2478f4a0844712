/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The process: its beginning and its end. */

#include "libos/proc/process.h"

#include "libos/boot/boot.h"
#include "libos/boot/crash.h"
#include "libos/boot/emulate.h"
#include "libos/fs/fs_context.h"
#include "libos/fs/hooks.h"
#include "libos/host/host.h"
#include "libos/libos.h"
#include "libos/mm/kmem.h"
#include "libos/mm/mm.h"
#include "libos/mm/page.h"
#include "libos/proc/image.h"
#include "libos/proc/process_init.h"
#include "libos/proc/slots.h"
#include "libos/proc/thread_new.h"
#include "libos/signal/signal.h"
#include "libos/sys/limits.h"
#include "libos/sys/trace.h"
#include "libos/time/clock.h"

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
    return &g_process;
}

static uint64_t memory_used(void)
{
    struct page_counters c;

    page_counters(&c);
    return c.committed << NACRE_PAGE_SHIFT;
}

int process_init(struct thread_page *tp)
{
    struct process *p = &g_process;
    struct thread *t;
    int r;

    p->pid = FIRST_PID;
    p->next_tid = FIRST_PID + 1;
    list_init(&p->threads);
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
    fs_hooks()->in_group = ident_in_group;
    fs_hooks()->memory_sizes = mm_sizes;
    fs_hooks()->memory_used = memory_used;
    return 0;
}

/* Everybody else out of the application: they see WORK_EXIT on their way or in their wait and never
 * come back. Nobody waits for them; host_exit ends them wherever they are. */
static void stop_others(struct process *p)
{
    struct thread *self = thread_current();

    mutex_lock(&p->threads_lock);
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
    mutex_unlock(&p->threads_lock);
}

/* How long the end waits for threads that are in the middle of something. */
#define EXIT_PATIENCE_NS 200000000ull

static void wait_for_others(struct process *p)
{
    const uint64_t until = clock_now(CLOCK_MONOTONIC) + EXIT_PATIENCE_NS;

    while (__atomic_load_n(&p->thread_count, __ATOMIC_ACQUIRE) > 1 &&
           clock_now(CLOCK_MONOTONIC) < until) {
        host_yield();
    }
}

int process_stop_others(void)
{
    struct process *p = &g_process;

    if (__atomic_load_n(&p->thread_count, __ATOMIC_ACQUIRE) > 1) {
        stop_others(p);
        wait_for_others(p);
    }
    return __atomic_load_n(&p->thread_count, __ATOMIC_ACQUIRE) == 1 ? 0 : -EAGAIN;
}

_noreturn_ static void finish(int status)
{
    mm_sync_all();
    fs_process_exit(&g_process);
    trace_report();
    host_exit(status);
}

void process_exit(int status)
{
    struct process *p = &g_process;
    uint32_t nobody = 0;

    if (!__atomic_compare_exchange_n(&p->exiting, &nobody, 1u + ((uint32_t)status & 0xff), false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        thread_exit(status); /* somebody else's exit_group came first */
    }
    if (__atomic_load_n(&p->thread_count, __ATOMIC_ACQUIRE) > 1) {
        stop_others(p);
        wait_for_others(p);
    }
    finish(status & 0xff);
}

void process_die(int signo, bool core, const struct cpu_context *ctx)
{
    if (core && ctx != NULL) {
        crash_report(signo, ctx);
    }
    process_exit(128 + signo);
}
