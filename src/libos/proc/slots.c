/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/proc/slots.h"

#include "libos/boot/boot.h"
#include "libos/boot/entry.h"
#include "libos/host/host.h"
#include "libos/mm/layout.h"
#include "libos/mm/page_raw.h"

/* A dynamic slot, each part apart from the next by pages that are never committed. */
#define DYN_SLOT_SIZE  0x40000u
#define DYN_STACK_SIZE 0x10000u
#define DYN_STACK_TOP  0x11000u
#define DYN_TRAP_SIZE  0x2000u
#define DYN_TRAP_TOP   0x15000u
#define DYN_CONTROL    0x16000u
#define DYN_TCS        0x18000u
#define DYN_SSA        0x1a000u
#define DYN_SLOTS_MAX  (LIBOS_SLOTS_SIZE / DYN_SLOT_SIZE)

static struct spinlock g_lock; /* over the free list */
static struct list g_free = {&g_free, &g_free};
static struct mutex g_grow; /* over making new ones */
static uint64_t g_dynamic;
static struct enclave_thread_page g_template; /* what all control pages have in common */

/* Linear address of measured slot `index`'s control page. */
static struct thread_page *measured_page(uint64_t index)
{
    return (struct thread_page *)(g_enclave_base + ENCLAVE_THREADS_OFFSET +
                                  index * ENCLAVE_SLOT_SIZE + SLOT_CONTROL);
}

int slots_init(struct thread_page *first)
{
    g_template = first->measured;
    list_init(&g_free);
    g_dynamic = 0;
    for (uint64_t i = first->measured.threads; i > 1; i--) {
        struct thread_page *tp = measured_page(i - 1);

        if (tp->measured.magic != ENCLAVE_THREAD_MAGIC) {
            return -EINVAL;
        }
        thread_page_prepare(tp, g_enclave_base);
        tp->state = TP_STATE_DONE;
        list_insert(g_free.next, &tp->free_node);
    }
    return 0;
}

static int commit_parts(uint64_t slot)
{
    int r = page_raw_commit(slot + DYN_STACK_TOP - DYN_STACK_SIZE, DYN_STACK_SIZE);

    if (r < 0) {
        return r;
    }
    r = page_raw_commit(slot + DYN_TRAP_TOP - DYN_TRAP_SIZE, DYN_TRAP_SIZE);
    if (r < 0) {
        goto drop_stack;
    }
    r = page_raw_commit(slot + DYN_CONTROL, NACRE_PAGE_SIZE);
    if (r < 0) {
        goto drop_trap;
    }
    r = page_raw_commit(slot + DYN_SSA, (uint64_t)LIBOS_SSA_FRAMES * NACRE_PAGE_SIZE);
    if (r < 0) {
        goto drop_control;
    }
    r = page_raw_commit(slot + DYN_TCS, NACRE_PAGE_SIZE);
    if (r == 0) {
        return 0;
    }
    page_raw_decommit(slot + DYN_SSA, (uint64_t)LIBOS_SSA_FRAMES * NACRE_PAGE_SIZE);
drop_control:
    page_raw_decommit(slot + DYN_CONTROL, NACRE_PAGE_SIZE);
drop_trap:
    page_raw_decommit(slot + DYN_TRAP_TOP - DYN_TRAP_SIZE, DYN_TRAP_SIZE);
drop_stack:
    page_raw_decommit(slot + DYN_STACK_TOP - DYN_STACK_SIZE, DYN_STACK_SIZE);
    return r;
}

/* Writes control page and TCS as the loader would, and has the page made a TCS. */
static int dress(uint64_t slot, uint64_t index)
{
    struct thread_page *tp = (struct thread_page *)(slot + DYN_CONTROL);
    struct enclave_thread_page *m = &tp->measured;
    struct sgx_tcs *tcs = (struct sgx_tcs *)(slot + DYN_TCS);
    const uint64_t offset = slot - g_enclave_base;

    *m = g_template;
    __builtin_memset(m->own, 0, sizeof(m->own));
    m->index = (uint32_t)(g_template.threads + index);
    m->control_offset = offset + DYN_CONTROL;
    m->tcs_offset = offset + DYN_TCS;
    m->ssa_offset = offset + DYN_SSA;
    m->stack_top_offset = offset + DYN_STACK_TOP;
    m->stack_size = DYN_STACK_SIZE;
    m->trap_top_offset = offset + DYN_TRAP_TOP;
    m->trap_stack_size = DYN_TRAP_SIZE;
    thread_page_prepare(tp, g_enclave_base);
    tp->state = TP_STATE_DONE;
    tcs->ossa = m->ssa_offset;
    tcs->nssa = LIBOS_SSA_FRAMES;
    tcs->oentry = (uint64_t)enclave_entry - g_enclave_base;
    tcs->ofs_base = m->control_offset;
    tcs->ogs_base = m->control_offset;
    tcs->fs_limit = 0xfff;
    tcs->gs_limit = 0xfff;
    return page_raw_make_tcs((uint64_t)tcs);
}

static int make_slot(struct thread_page **ret)
{
    uint64_t slot;
    int r = -EAGAIN;

    mutex_lock(&g_grow);
    slot = g_enclave_base + LIBOS_SLOTS_OFFSET + g_dynamic * DYN_SLOT_SIZE;
    if (g_dynamic < DYN_SLOTS_MAX) {
        r = commit_parts(slot);
    }
    if (r == 0) {
        /* Whatever happens now, these addresses are used. */
        r = dress(slot, g_dynamic++);
    }
    mutex_unlock(&g_grow);
    if (r < 0) {
        return -EAGAIN;
    }
    *ret = (struct thread_page *)(slot + DYN_CONTROL);
    return 0;
}

/* A slot nobody is in. */
static int take(struct thread_page **ret)
{
    struct thread_page *found = NULL;

    spin_lock(&g_lock);
    list_for_each (it, &g_free) {
        struct thread_page *tp = list_entry(it, struct thread_page, free_node);

        /* Still on its way out: take another. */
        if (__atomic_load_n(&tp->state, __ATOMIC_ACQUIRE) == TP_STATE_DONE) {
            found = tp;
            break;
        }
    }
    if (found != NULL) {
        list_remove(&found->free_node);
    }
    spin_unlock(&g_lock);
    if (found == NULL) {
        return make_slot(ret);
    }
    *ret = found;
    return 0;
}

void slots_put(struct thread_page *tp)
{
    tp->current = NULL;
    spin_lock(&g_lock);
    list_insert(&g_free, &tp->free_node);
    spin_unlock(&g_lock);
}

/* The host may start it from now on; the number of this start. */
static uint32_t make_ready(struct thread_page *tp)
{
    uint32_t start;

    spin_lock(&g_lock);
    start = ++tp->starts;
    __atomic_store_n(&tp->state, TP_STATE_READY, __ATOMIC_RELEASE);
    spin_unlock(&g_lock);
    return start;
}

/* The host says that it did not start it: now it cannot any more. False when it did (or lies: the
 * thread is inside, or was, and the slot is somebody else's by now). */
static bool take_back(struct thread_page *tp, uint32_t start)
{
    uint32_t ready = TP_STATE_READY;
    bool taken;

    spin_lock(&g_lock);
    taken =
        tp->starts == start && __atomic_compare_exchange_n(&tp->state, &ready, TP_STATE_DONE, false,
                                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    spin_unlock(&g_lock);
    return taken;
}

/* How often another slot is tried when the host says that this one's last thread is not quite gone:
 * threads that just ended need a moment there. */
#define START_TRIES 1000

int slots_start(struct thread *t, void (*prepare)(struct thread_page *tp, const void *arg),
                const void *arg)
{
    for (int i = 0; i < START_TRIES; i++) {
        struct thread_page *tp;
        uint32_t start;
        int r = take(&tp);

        if (r < 0) {
            return r;
        }
        tp->block = NULL;
        tp->park = NULL;
        tp->held_signals = 0;
        tp->kstack = tp->enclave_base + tp->measured.stack_top_offset;
        tp->current = t;
        t->arch = tp;
        prepare(tp, arg);
        start = make_ready(tp);
        r = host_thread_create(tp->tcs);
        if (r == 0 || !take_back(tp, start)) {
            return 0;
        }
        t->arch = NULL;
        slots_put(tp);
        if (r != -EBUSY) {
            break;
        }
        host_yield();
    }
    return -EAGAIN;
}
