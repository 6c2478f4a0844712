/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Threads of the library OS itself. */

#include "libos/proc/service.h"

#include "libos/boot/boot.h"
#include "libos/boot/hostcall.h"
#include "libos/boot/thread_page.h"
#include "libos/host/host.h"
#include "libos/mm/kmem.h"
#include "libos/proc/freeze.h"
#include "libos/proc/slots.h"
#include "libos/proc/thread_list.h"
#include "libos/proc/thread_new.h"

#define START_TRIES 1000

/* Those that run, for fork, which has them all stand still (proc/freeze.h). */
static struct mutex g_lock;
static struct list g_services = {&g_services, &g_services};

void service_for_each(void (*f)(struct thread *t, void *arg), void *arg)
{
    mutex_lock(&g_lock);
    list_for_each (it, &g_services) {
        f(list_entry(it, struct thread, node), arg);
    }
    mutex_unlock(&g_lock);
}

void service_after_fork(void)
{
    list_for_each_safe (it, &g_services) {
        struct thread *t = list_entry(it, struct thread, node);

        list_remove(it);
        if (t->host_wake_fd >= 0) {
            (void)host_close(t->host_wake_fd);
        }
        kfree(t);
    }
}

void service_enlist(struct thread *t)
{
    mutex_lock(&g_lock);
    list_insert(&g_services, &t->node);
    mutex_unlock(&g_lock);
}

static void delist(struct thread *t)
{
    mutex_lock(&g_lock);
    list_remove(&t->node);
    mutex_unlock(&g_lock);
}

/* On the new thread's own stack; does not return. */
void service_run(struct thread *t)
{
    struct thread_page *tp = t->arch;

    freeze_gate(t);
    t->service(t->service_arg);
    freeze_leaving();
    delist(t);
    if (t->host_wake_fd >= 0) {
        (void)host_close(t->host_wake_fd);
    }
    thread_put(t);
    slots_put(tp);
    freeze_left();
    hostcall_thread_done();
}

/* A slot whose last thread is not quite gone from the host is left for later. */
static int start_on_slot(struct thread *t)
{
    int r = -EAGAIN;

    for (int i = 0; i < START_TRIES; i++) {
        struct thread_page *tp;

        r = slots_take(&tp);
        if (r < 0) {
            return r;
        }
        tp->block = NULL;
        tp->park = NULL;
        tp->kstack = tp->enclave_base + tp->measured.stack_top_offset;
        tp->stack_top = tp->kstack;
        tp->current = t;
        tp->mxcsr = 0x1f80;
        tp->x87_control = 0x37f;
        t->arch = tp;
        __atomic_store_n(&tp->state, TP_STATE_READY, __ATOMIC_RELEASE);
        r = host_thread_create(tp->tcs);
        if (r == 0) {
            return 0;
        }
        t->arch = NULL;
        __atomic_store_n(&tp->state, TP_STATE_DONE, __ATOMIC_RELEASE);
        slots_put(tp);
        if (r != -EBUSY) {
            break;
        }
        host_yield();
    }
    return -EAGAIN;
}

int service_start(void (*run)(void *arg), void *arg)
{
    struct thread *t;
    int r = thread_alloc(process_current(), 0, &t);

    if (r < 0) {
        return r;
    }
    t->service = run;
    t->service_arg = arg;
    service_enlist(t);
    r = start_on_slot(t);
    if (r < 0) {
        delist(t);
        thread_put(t);
    }
    return r;
}
