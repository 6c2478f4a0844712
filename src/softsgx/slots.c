/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The fast path of ENCLU: after EINIT an `0f 01 d7 66 90` that the loader pointed at becomes a call
 * into a trampoline page just above ELRANGE. The page finds the thread through GS base (which the
 * slot's contract says is EENTER's): one table entry for each page of ELRANGE, holding the TCS
 * whose OGSBASE it is. Two TCSs with one OGSBASE cannot be told apart: both then use the trap.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

extern const char soft_tramp_template[], soft_tramp_template_end[];
extern const char soft_tramp_code[], soft_tramp_commit[], soft_tramp_popped[],
    soft_tramp_exit_end[], soft_tramp_enclu[], soft_tramp_eexit[], soft_tramp_other[],
    soft_tramp_leaf0[], soft_tramp_leaf1[], soft_tramp_leaf5[], soft_tramp_leaf6[],
    soft_tramp_leaf7[];

static const uint8_t slot_bytes[SOFT_SLOT_BYTES] = {ENCLU_BYTES, 0x66, 0x90};

#define REACH      ((uint64_t)INT32_MAX)
#define OFF(label) ((uint64_t)((label)-soft_tramp_template))

int soft_hint_slots(struct sgx_enclave *e, const uint64_t *offsets, size_t count,
                    struct error **err)
{
    uint64_t *all;

    if (e->initialized) {
        return error_set(err, EINVAL, "slots are announced before EINIT");
    }
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] >= e->size || e->size - offsets[i] < SOFT_SLOT_BYTES) {
            return error_set(err, EINVAL, "slot offset 0x%llx lies outside the enclave",
                             (unsigned long long)offsets[i]);
        }
    }
    all = reallocarray(e->slots, e->slot_count + count, sizeof(*all));
    if (all == NULL && e->slot_count + count != 0) {
        return error_set(err, ENOMEM, "out of memory");
    }
    e->slots = all;
    if (count != 0) {
        memcpy(all + e->slot_count, offsets, count * sizeof(*all));
        e->slot_count += count;
    }
    return 0;
}

/* The first free page above ELRANGE, at most 1 GiB up. NULL: none, slots will trap. */
static uint8_t *tramp_page(const struct sgx_enclave *e)
{
    uint64_t end = e->base + e->size;

    for (uint64_t off = 0; off < (1ull << 30); off = off == 0 ? NACRE_PAGE_SIZE : off * 2) {
        void *want = (void *)(end + off);
        void *p = mmap(want, NACRE_PAGE_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (p == want) {
            return p;
        }
        if (p != MAP_FAILED) {
            (void)munmap(p, NACRE_PAGE_SIZE);
        }
    }
    return NULL;
}

int soft_slots_map(struct sgx_enclave *e)
{
    uint64_t *literals;

    e->tramp = tramp_page(e);
    if (e->tramp == NULL) {
        return 0;
    }
    memcpy(e->tramp, soft_tramp_template, (size_t)(soft_tramp_template_end - soft_tramp_template));
    literals = (uint64_t *)(void *)e->tramp;
    literals[LIT_BASE / 8] = e->base;
    literals[LIT_SIZE / 8] = e->size;
    literals[LIT_GS_TABLE / 8] = (uint64_t)e->gs_table;
    literals[LIT_AEP / 8] = (uint64_t)soft_aep;
    literals[LIT_LEAF_CALL / 8] = (uint64_t)soft_leaf_enter;
    literals[LIT_LEAF_XCALL / 8] = (uint64_t)soft_leaf_xenter;
    return mprotect(e->tramp, NACRE_PAGE_SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

void soft_slots_unmap(struct sgx_enclave *e)
{
    if (e->tramp != NULL) {
        (void)munmap(e->tramp, NACRE_PAGE_SIZE);
        e->tramp = NULL;
    }
}

/* Rewrites one slot when the bytes are there, the page is a regular page of the enclave that will
 * be executable, and the trampoline is in reach. */
static void rewrite(struct sgx_enclave *e, uint64_t offset)
{
    uint8_t *slot = (uint8_t *)(e->base + offset);
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t last = (offset + SOFT_SLOT_BYTES - 1) >> NACRE_PAGE_SHIFT;
    uint64_t next = e->base + offset + SOFT_SLOT_BYTES;
    uint64_t target = (uint64_t)e->tramp + (uint64_t)(soft_tramp_code - soft_tramp_template);
    uint32_t rel;

    for (uint64_t page = first; page <= last; page++) {
        uint64_t entry = soft_epcm_load(e, page);

        if ((entry & (EPCM_VALID | EPCM_X)) != (EPCM_VALID | EPCM_X) ||
            epcm_type(entry) != SGX_PT_REG) {
            return;
        }
    }
    if (target - next > REACH ||
        soft_protect_locked(e, first, last - first + 1, EPCM_R | EPCM_W) < 0) {
        return;
    }
    if (memcmp(slot, slot_bytes, SOFT_SLOT_BYTES) == 0) {
        rel = (uint32_t)(target - next);
        slot[0] = 0xe8; /* call rel32 */
        memcpy(slot + 1, &rel, sizeof(rel));
    }
    (void)soft_apply_range_locked(e, first, last - first + 1);
}

void soft_slots_rewrite(struct sgx_enclave *e)
{
    if (e->tramp == NULL) {
        return;
    }
    for (size_t i = 0; i < e->slot_count; i++) {
        rewrite(e, e->slots[i]);
    }
}

static uint64_t leaf_at(uint64_t off)
{
    static const struct {
        const char *start;
        uint64_t leaf;
    } doors[] = {
        {soft_tramp_leaf7, ENCLU_EACCEPTCOPY}, {soft_tramp_leaf6, ENCLU_EMODPE},
        {soft_tramp_leaf5, ENCLU_EACCEPT},     {soft_tramp_leaf1, ENCLU_EGETKEY},
        {soft_tramp_leaf0, ENCLU_EREPORT},
    };

    for (size_t i = 0; i < ARRAY_COUNT(doors); i++) {
        if (off >= (uint64_t)(doors[i].start - soft_tramp_template)) {
            return doors[i].leaf;
        }
    }
    return ENCLU_EEXIT;
}

bool soft_tramp_fixup(const struct sgx_enclave *e, struct soft_regs *regs)
{
    uint64_t off = regs->rip - (uint64_t)e->tramp;

    if (off > OFF(soft_tramp_commit) && off < OFF(soft_tramp_exit_end)) {
        if (off < OFF(soft_tramp_popped)) {
            regs->rsp += 8;
        }
        regs->rax = ENCLU_EEXIT;
        regs->rcx = (uint64_t)soft_aep;
        regs->rip = regs->rbx;
        return false;
    }
    /* RAX still is the leaf at the head, at the ENCLU and in the dispatch. */
    if (off >= OFF(soft_tramp_eexit) && off < OFF(soft_tramp_other) &&
        off != OFF(soft_tramp_enclu)) {
        regs->rax = ENCLU_EEXIT;
    } else if (off >= OFF(soft_tramp_leaf0)) {
        regs->rax = leaf_at(off);
    }
    memcpy(&regs->rip, (const void *)regs->rsp, sizeof(regs->rip));
    regs->rip -= SOFT_SLOT_BYTES;
    regs->rsp += 8;
    return true;
}
