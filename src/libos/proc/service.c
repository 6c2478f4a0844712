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

static void prepare(struct thread_page *tp, const void *arg)
{
    tp->stack_top = tp->kstack;
    tp->mxcsr = 0x1f80;
    tp->x87_control = 0x37f;
}

static int start(void (*run)(void *arg), void *arg, bool late)
{
    struct thread *t;
    /* Not the caller's, which may be a child of vfork: that ends before the thread does. */
    int r = thread_alloc(process_first(), 0, &t);

    if (r < 0) {
        return r;
    }
    t->service = run;
    t->service_arg = arg;
    t->late = late;
    service_enlist(t);
    r = slots_start(t, prepare, NULL);
    if (r < 0) {
        delist(t);
        thread_put(t);
    }
    return r;
}

int service_start(void (*run)(void *arg), void *arg)
{
    return start(run, arg, /*late=*/false);
}

int service_start_late(void (*run)(void *arg), void *arg)
{
    return start(run, arg, /*late=*/true);
}
