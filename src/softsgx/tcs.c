/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Thread control structures. The page is closed to software; what the processor keeps in it lives
 * here, in one arena for all enclaves that is never unmapped, so that a stale pointer in a thread
 * finds a TCS (and then notices that the epoch has moved), never a hole.
 */

#include "softsgx/internal.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "core/le.h"
#include "core/overflow.h"

_Static_assert(offsetof(struct soft_tcs, owner) == TCS_OWNER, "asm_offsets.h");
_Static_assert(offsetof(struct soft_tcs, linear) == TCS_LINEAR, "asm_offsets.h");
_Static_assert(offsetof(struct soft_tcs, entry) == TCS_ENTRY, "asm_offsets.h");
_Static_assert(offsetof(struct soft_tcs, fsbase) == TCS_FS, "asm_offsets.h");
_Static_assert(offsetof(struct soft_tcs, gsbase) == TCS_GS, "asm_offsets.h");
_Static_assert(offsetof(struct soft_tcs, cssa) == TCS_CSSA, "asm_offsets.h");

struct soft_tcs *soft_tcs_arena; /* SOFT_TCS_MAX of them, sparse; set by the first soft_create() */
static uint32_t tcs_used = 1;    /* index 0 means none */
static uint32_t tcs_free_head;

static bool canonical(uint64_t addr)
{
    return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}

/* What EADD and EACCEPT check in a TCS page (SDM 40.3 EADD, 40.4 EACCEPT). FLAGS must be zero:
 * DBGOPTIN can only be set by EDBGWR, AEXNOTIFY is not offered. */
static bool tcs_valid(const struct sgx_enclave *e, const struct sgx_tcs *tcs)
{
    const uint8_t *bytes = (const uint8_t *)tcs;
    uint64_t rest = 0;

    for (size_t i = offsetof(struct sgx_tcs, ocet_ssa); i < NACRE_PAGE_SIZE; i += 8) {
        rest |= le64_load(bytes + i);
    }
    return rest == 0 && tcs->state == 0 && tcs->aep == 0 && tcs->flags == 0 &&
           tcs->cssa < tcs->nssa && is_page_aligned(tcs->ossa) && is_page_aligned(tcs->ofs_base) &&
           is_page_aligned(tcs->ogs_base) && tcs->ossa < e->size && tcs->oentry < e->size &&
           canonical(e->base + tcs->ofs_base) && canonical(e->base + tcs->ogs_base);
}

/* Nobody owns it: its owner is NULL for ever. */
static struct soft_tcs shared_gs;

void soft_gs_register(struct sgx_enclave *e, struct soft_tcs *tcs)
{
    struct soft_tcs **entry;
    struct soft_tcs *seen = NULL;

    if (!soft_in_elrange(e, tcs->gsbase)) {
        return;
    }
    entry = &e->gs_table[soft_page_of(e, tcs->gsbase)];
    if (!__atomic_compare_exchange_n(entry, &seen, tcs, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST) &&
        seen != tcs) {
        __atomic_store_n(entry, &shared_gs, __ATOMIC_SEQ_CST);
    }
}

void soft_gs_unregister(struct sgx_enclave *e, struct soft_tcs *tcs)
{
    struct soft_tcs *seen = tcs;

    if (soft_in_elrange(e, tcs->gsbase)) {
        (void)__atomic_compare_exchange_n(&e->gs_table[soft_page_of(e, tcs->gsbase)], &seen, NULL,
                                          false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
}

int soft_tcs_add(struct sgx_enclave *e, uint64_t page, const struct sgx_tcs *tcs,
                 uint32_t *ret_slot)
{
    struct soft_tcs *t;
    uint32_t slot;

    if (!tcs_valid(e, tcs)) {
        return -EINVAL;
    }
    soft_lock(&soft_locks.tcs);
    if (tcs_free_head != 0) {
        slot = tcs_free_head;
        tcs_free_head = soft_tcs_arena[slot].cssa;
    } else if (tcs_used < SOFT_TCS_MAX) {
        slot = tcs_used++;
    } else {
        soft_unlock(&soft_locks.tcs);
        return -ENOSPC;
    }
    soft_unlock(&soft_locks.tcs);
    t = &soft_tcs_arena[slot];
    t->linear = e->base + (page << NACRE_PAGE_SHIFT);
    t->entry = e->base + tcs->oentry;
    t->fsbase = e->base + tcs->ofs_base;
    t->gsbase = e->base + tcs->ogs_base;
    t->cssa = tcs->cssa;
    t->nssa = tcs->nssa;
    t->ssa = e->base + tcs->ossa;
    t->flags = tcs->flags;
    t->enclave = e;
    soft_gs_register(e, t);
    *ret_slot = slot;
    return 0;
}

void soft_tcs_remove(struct sgx_enclave *e, uint32_t slot)
{
    struct soft_tcs *t = &soft_tcs_arena[slot];

    soft_gs_unregister(e, t);
    soft_lock(&soft_locks.tcs);
    /* In a forked child: threads of the parent were inside, and do not exist here. */
    __atomic_store_n(&t->owner, NULL, __ATOMIC_RELEASE);
    t->enclave = NULL;
    t->linear = 0;
    t->cssa = tcs_free_head;
    tcs_free_head = slot;
    soft_unlock(&soft_locks.tcs);
}

void soft_tcs_remove_all(struct sgx_enclave *e)
{
    for (uint32_t slot = 1; slot < tcs_used; slot++) {
        if (soft_tcs_arena[slot].enclave == e) {
            soft_tcs_remove(e, slot);
        }
    }
}

static int refuse(struct soft_thread *th, const struct soft_fault *f)
{
    th->vector = f->vector;
    th->error_code = f->error_code;
    th->fault_addr = f->addr;
    return -EFAULT;
}

static enum soft_result host_access(struct sgx_enclave *e, uint64_t addr, uint64_t need,
                                    struct soft_fault *ret_fault)
{
    enum soft_result r;
    uint64_t all = ~0ull;
    uint64_t old;

    /* soft_access() may take the enclave's lock: no signal may come back into the processor. */
    (void)soft_syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&all, (long)&old, 8);
    r = soft_access(e, addr, need, ret_fault);
    (void)soft_syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&old, 0, 8);
    return r;
}

/* The SSA frame EENTER would use next or ERESUME would restore: every page usable. */
static enum soft_result check_frame(struct soft_tcs *t, uint32_t index, uint64_t *ret_frame,
                                    struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = t->enclave;
    uint64_t frame;
    uint64_t off;

    if (mul_overflow((uint64_t)index, e->ssa_frame_size, &off) ||
        add_overflow(t->ssa, off, &frame) ||
        !range_within(frame, e->ssa_frame_size, e->base, e->base + e->size)) {
        return soft_gp(ret_fault);
    }
    for (uint64_t a = frame; a < frame + e->ssa_frame_size; a += NACRE_PAGE_SIZE) {
        (void)__atomic_or_fetch(&e->epcm[soft_page_of(e, a)], EPCM_ENTERED, __ATOMIC_SEQ_CST);
        if (host_access(e, a, EPCM_R | EPCM_W, ret_fault) != SOFT_OK) {
            return SOFT_FAULT;
        }
    }
    *ret_frame = frame;
    return SOFT_OK;
}

/* The TCS rules EENTER and ERESUME share. */
static enum soft_result find_tcs(uint64_t linear, struct soft_tcs **ret, struct soft_fault *f)
{
    struct sgx_enclave *e = soft_find(linear);
    uint64_t entry;
    uint64_t page;

    if (!is_page_aligned(linear)) {
        return soft_gp(f);
    }
    if (e == NULL) {
        return soft_pf(f, linear, X86_PF_U);
    }
    page = soft_page_of(e, linear);
    entry = soft_epcm_load(e, page);
    if ((entry & EPCM_VALID) == 0 && !soft_eaug(e, page)) {
        return soft_pf(f, linear, X86_PF_U);
    }
    if ((entry & EPCM_VALID) == 0 || (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0 ||
        epcm_type(entry) != SGX_PT_TCS) {
        return soft_pf(f, linear, X86_PF_U | X86_PF_P | X86_PF_SGX);
    }
    if (!e->initialized) {
        return soft_gp(f);
    }
    *ret = &soft_tcs_arena[entry >> EPCM_SLOT_SHIFT];
    return SOFT_OK;
}

static void remember(struct soft_thread *th, struct soft_tcs *t, uint32_t cssa, uint64_t frame,
                     uint64_t epoch)
{
    th->last_tcs = t;
    th->last_linear = t->linear;
    th->last_epoch = epoch;
    th->last_cssa = cssa;
    th->last_gpr = frame + t->enclave->ssa_frame_size - sizeof(struct sgx_gprsgx);
}

int soft_eenter_check(struct soft_thread *th, uint64_t linear)
{
    uint64_t epoch = __atomic_load_n(&soft_epoch, __ATOMIC_ACQUIRE);
    struct soft_fault f = {0};
    struct soft_tcs *t;
    uint64_t frame;
    uint32_t cssa;

    th->last_linear = ~0ull;
    if (find_tcs(linear, &t, &f) != SOFT_OK) {
        return refuse(th, &f);
    }
    if (__atomic_load_n(&t->owner, __ATOMIC_ACQUIRE) != NULL) {
        (void)soft_gp(&f); /* busy */
        return refuse(th, &f);
    }
    cssa = __atomic_load_n(&t->cssa, __ATOMIC_ACQUIRE);
    if (cssa >= t->nssa) {
        (void)soft_gp(&f);
        return refuse(th, &f);
    }
    if (check_frame(t, cssa, &frame, &f) != SOFT_OK) {
        return refuse(th, &f);
    }
    remember(th, t, cssa, frame, epoch);
    return 0;
}

/* XRSTOR would fault on these, and so does ERESUME (SDM 40.4, ERESUME; vol 1, 13.8.1). */
static bool xstate_loadable(const struct sgx_enclave *e, uint64_t frame)
{
    const uint64_t *header = (const uint64_t *)(frame + 512);
    uint32_t mxcsr = *(const uint32_t *)(frame + 24);
    uint64_t rest = 0;

    for (unsigned i = 1; i < 8; i++) {
        rest |= header[i];
    }
    return rest == 0 && (header[0] & ~e->xfrm) == 0 && (mxcsr & 0xffff0000u) == 0;
}

static void load_frame(struct soft_thread *th, struct soft_tcs *t, uint64_t frame,
                       const struct sgx_gprsgx *g)
{
    uint16_t cs;
    uint16_t ss;

    soft_copy(&th->regs, g, sizeof(th->regs));
    __asm__("mov %%cs, %0" : "=r"(cs));
    __asm__("mov %%ss, %0" : "=r"(ss));
    th->iret[0] = g->rip;
    th->iret[1] = cs;
    th->iret[2] = (g->rflags & 0x240dd5ull) | 0x202;
    th->iret[3] = g->rsp;
    th->iret[4] = ss;
    th->resume_xstate = frame;
    th->resume_xfrm = t->enclave->xfrm;
    th->resume_fs = g->fsbase;
    th->resume_gs = g->gsbase;
}

int soft_eresume_check(struct soft_thread *th, uint64_t linear, uint64_t rsp, uint64_t rbp)
{
    uint64_t epoch = __atomic_load_n(&soft_epoch, __ATOMIC_ACQUIRE);
    struct soft_fault f = {0};
    const struct sgx_gprsgx *g;
    struct soft_tcs *t;
    uint64_t frame;
    uint32_t cssa;

    th->last_linear = ~0ull;
    th->resume_rsp = rsp;
    th->resume_rbp = rbp;
    if (find_tcs(linear, &t, &f) != SOFT_OK) {
        return refuse(th, &f);
    }
    cssa = __atomic_load_n(&t->cssa, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&t->owner, __ATOMIC_ACQUIRE) != NULL || cssa == 0) {
        (void)soft_gp(&f);
        return refuse(th, &f);
    }
    if (check_frame(t, cssa - 1, &frame, &f) != SOFT_OK) {
        return refuse(th, &f);
    }
    g = (const struct sgx_gprsgx *)(frame + t->enclave->ssa_frame_size - sizeof(*g));
    if (!xstate_loadable(t->enclave, frame) || !soft_in_elrange(t->enclave, g->rip) ||
        !canonical(g->fsbase) || !canonical(g->gsbase)) {
        (void)soft_gp(&f);
        return refuse(th, &f);
    }
    load_frame(th, t, frame, g);
    remember(th, t, cssa - 1, frame, epoch);
    return 0;
}
