/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* EACCEPT, EACCEPTCOPY, EMODPE: the enclave's half of EDMM (SDM 40.4). Microcode. */

#include "softsgx/internal.h"

/* Copies SECINFO (64-byte aligned, so within one page) and refuses reserved bits. */
static enum soft_result read_secinfo(struct sgx_enclave *e, uint64_t addr, uint64_t *ret_flags,
                                     struct soft_fault *ret_fault)
{
    const uint64_t *p;
    uint64_t rest = 0;

    if (soft_operand(e, addr, SGX_SECINFO_ALIGN, EPCM_R, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    p = (const uint64_t *)addr;
    *ret_flags = __atomic_load_n(&p[0], __ATOMIC_RELAXED);
    for (unsigned i = 1; i < sizeof(struct sgx_secinfo) / sizeof(*p); i++) {
        rest |= __atomic_load_n(&p[i], __ATOMIC_RELAXED);
    }
    if (rest != 0 || (*ret_flags & ~EPCM_SECINFO_MASK) != 0) {
        return soft_gp(ret_fault);
    }
    return SOFT_OK;
}

/* The page a leaf works on: aligned and inside, EPCM entry present. EAUGs as the driver would when
 * the leaf's own access to the page faults. */
static enum soft_result target_page(struct sgx_enclave *e, uint64_t addr, uint64_t *ret_page,
                                    uint64_t *ret_entry, struct soft_fault *ret_fault)
{
    uint64_t page = soft_page_of(e, addr);

    *ret_page = page;
    *ret_entry = soft_epcm_load(e, page);
    if ((*ret_entry & EPCM_VALID) == 0) {
        if (!soft_eaug(e, page) && (soft_epcm_load(e, page) & EPCM_VALID) == 0) {
            return soft_pf(ret_fault, addr, X86_PF_U);
        }
        *ret_entry = soft_epcm_load(e, page);
    }
    return SOFT_OK;
}

/* EACCEPT knows five requests; anything else in SECINFO is #GP. */
static bool acceptable_request(uint64_t flags)
{
    uint64_t state = flags & (EPCM_PENDING | EPCM_MODIFIED | EPCM_PR);

    switch (epcm_type(flags)) {
    case SGX_PT_REG: return state == EPCM_PENDING || state == EPCM_PR;
    case SGX_PT_TCS:
    case SGX_PT_TRIM: return state == EPCM_MODIFIED;
    default: return false;
    }
}

/* A page that becomes a TCS is checked as EADD would have (SDM 40.4, EACCEPT). */
static enum soft_result accept_tcs(struct sgx_enclave *e, uint64_t page, uint64_t *entry,
                                   struct soft_fault *ret_fault)
{
    const struct sgx_tcs *tcs = (const struct sgx_tcs *)(e->base + (page << NACRE_PAGE_SHIFT));
    uint32_t slot;
    int r;

    /* The page is closed to everybody; the processor looks for itself. */
    soft_lock(&e->lock);
    r = soft_protect_locked(e, page, 1, EPCM_R);
    if (r == 0) {
        r = soft_tcs_add(e, page, tcs, &slot);
        (void)soft_protect_locked(e, page, 1, 0);
    }
    soft_unlock(&e->lock);
    if (r < 0) {
        return soft_gp(ret_fault);
    }
    *entry = (*entry & 0xffffffffull) | ((uint64_t)slot << EPCM_SLOT_SHIFT);
    return SOFT_OK;
}

enum soft_result soft_eaccept(struct soft_thread *th, struct soft_tcs *tcs, struct soft_regs *regs,
                              struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = tcs->enclave;
    uint64_t flags;
    uint64_t page;
    uint64_t entry;

    if (!is_page_aligned(regs->rcx) || !soft_in_elrange(e, regs->rcx)) {
        return soft_gp(ret_fault);
    }
    if (read_secinfo(e, regs->rbx, &flags, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    if (!acceptable_request(flags)) {
        return soft_gp(ret_fault);
    }
    if (target_page(e, regs->rcx, &page, &entry, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    for (;;) {
        uint64_t accepted;

        if ((entry & EPCM_VALID) == 0) {
            return soft_pf(ret_fault, regs->rcx, X86_PF_U | X86_PF_P | X86_PF_SGX);
        }
        if ((entry & EPCM_SECINFO_MASK) != flags) {
            soft_set_result(regs, SGX_PAGE_ATTRIBUTES_MISMATCH);
            return SOFT_OK;
        }
        if ((entry & EPCM_UNTRACKED) != 0) {
            soft_set_result(regs, SGX_NOT_TRACKED);
            return SOFT_OK;
        }
        accepted = entry;
        if (epcm_type(flags) == SGX_PT_TCS &&
            accept_tcs(e, page, &accepted, ret_fault) != SOFT_OK) {
            return SOFT_FAULT;
        }
        if (epcm_type(flags) == SGX_PT_TCS) {
            entry = soft_epcm_load(e, page);
        }
        if (soft_epcm_swap(e, page, &entry, accepted & ~(EPCM_PENDING | EPCM_MODIFIED | EPCM_PR))) {
            break;
        }
        if (epcm_type(flags) == SGX_PT_TCS) {
            soft_tcs_remove(e, (uint32_t)(accepted >> EPCM_SLOT_SHIFT));
        }
    }
    if (epcm_type(flags) == SGX_PT_REG && (flags & EPCM_PENDING) != 0) {
        soft_open_later(th, e, page);
    } else if (epcm_type(flags) == SGX_PT_TCS) {
        soft_bump_epoch();
    }
    soft_set_result(regs, SGX_SUCCESS);
    return SOFT_OK;
}

enum soft_result soft_emodpe(struct soft_thread *th, struct soft_tcs *tcs, struct soft_regs *regs,
                             struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = tcs->enclave;
    uint64_t flags;
    uint64_t page;
    uint64_t entry;

    if (!is_page_aligned(regs->rcx) || !soft_in_elrange(e, regs->rcx)) {
        return soft_gp(ret_fault);
    }
    if (read_secinfo(e, regs->rbx, &flags, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    if (target_page(e, regs->rcx, &page, &entry, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    do {
        if ((entry & EPCM_VALID) == 0 || (entry & (EPCM_PENDING | EPCM_MODIFIED)) != 0 ||
            epcm_type(entry) != SGX_PT_REG) {
            return soft_pf(ret_fault, regs->rcx, X86_PF_U | X86_PF_P | X86_PF_SGX);
        }
        /* Write without read is no permission EMODPE can leave behind. */
        if (((entry | flags) & (EPCM_R | EPCM_W)) == EPCM_W) {
            return soft_gp(ret_fault);
        }
    } while (!soft_epcm_swap(e, page, &entry, entry | (flags & EPCM_RWX)));
    soft_open_later(th, e, page);
    return SOFT_OK;
}

enum soft_result soft_eacceptcopy(struct soft_thread *th, struct soft_tcs *tcs,
                                  struct soft_regs *regs, struct soft_fault *ret_fault)
{
    struct sgx_enclave *e = tcs->enclave;
    uint64_t flags;
    uint64_t page;
    uint64_t entry;
    uint64_t seen;
    int r;

    if (!is_page_aligned(regs->rcx) || !soft_in_elrange(e, regs->rcx) ||
        !is_page_aligned(regs->rdx) || !soft_in_elrange(e, regs->rdx)) {
        return soft_gp(ret_fault);
    }
    if (read_secinfo(e, regs->rbx, &flags, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    if (epcm_type(flags) != SGX_PT_REG || (flags & EPCM_R) == 0 ||
        (flags & (EPCM_PENDING | EPCM_MODIFIED | EPCM_PR)) != 0) {
        return soft_gp(ret_fault);
    }
    if (soft_access(e, regs->rdx, EPCM_R, ret_fault) != SOFT_OK ||
        target_page(e, regs->rcx, &page, &entry, ret_fault) != SOFT_OK) {
        return SOFT_FAULT;
    }
    if ((entry & EPCM_SECINFO_MASK) != (EPCM_PENDING | EPCM_R | EPCM_W | EPCM_PT(SGX_PT_REG))) {
        soft_set_result(regs, SGX_PAGE_ATTRIBUTES_MISMATCH);
        return SOFT_OK;
    }
    soft_lock(&e->lock);
    /* One thread at a time fills it; who comes second finds it accepted. */
    seen = soft_epcm_load(e, page);
    r = (seen & EPCM_SECINFO_MASK) == (entry & EPCM_SECINFO_MASK)
            ? soft_protect_locked(e, page, 1, EPCM_R | EPCM_W)
            : -EAGAIN;
    if (r == 0) {
        soft_copy((void *)regs->rcx, (const void *)regs->rdx, NACRE_PAGE_SIZE);
        seen = soft_epcm_load(e, page);
        while (!soft_epcm_swap(e, page, &seen, (seen & ~EPCM_PENDING) | (flags & EPCM_RWX))) {
        }
        (void)soft_apply_range_locked(e, page, 1);
    }
    soft_unlock(&e->lock);
    if (r == -EAGAIN) {
        soft_set_result(regs, SGX_PAGE_ATTRIBUTES_MISMATCH);
        return SOFT_OK;
    }
    if (r < 0) {
        return soft_pf(ret_fault, regs->rcx, X86_PF_U | X86_PF_W);
    }
    soft_set_result(regs, SGX_SUCCESS);
    return SOFT_OK;
}
