/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The fast path of ENCLU: after EINIT an `0f 01 d7 66 90` that the loader pointed at becomes a jump
 * to a stub just above ELRANGE (entry.S). The stub finds the thread through GS base, which the
 * slot's contract says is EENTER's: one table entry for each page of ELRANGE, holding the TCS
 * whose OGSBASE it is. Two TCSs with one OGSBASE cannot be told apart: both then use the trap.
 *
 * Contract of a slot: GS base as EENTER set it; the 8 bytes below RSP may be overwritten; status
 * flags are undefined afterwards except where the leaf defines them.
 */

#include "softsgx/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/le.h"

extern const char soft_stub_template[], soft_stub_template_end[], soft_stub_eexit[],
    soft_stub_commit[], soft_stub_exit_end[], soft_stub_enclu[], soft_stub_other[],
    soft_stub_back[], soft_stub_literals[];
extern const char soft_common_template[], soft_common_template_end[], soft_common_literals[],
    soft_common_leaf0[], soft_common_leaf1[], soft_common_leaf4[], soft_common_leaf5[],
    soft_common_leaf6[], soft_common_leaf7[];

static const uint8_t slot_bytes[SOFT_SLOT_BYTES] = {ENCLU_BYTES, 0x66, 0x90};

#define REACH        ((uint64_t)INT32_MAX)
#define COMMON_SIZE  ((uint64_t)(soft_common_template_end - soft_common_template))
#define STUB_SIZE    ((uint64_t)(soft_stub_template_end - soft_stub_template))
#define STUBS_MAX    ((SOFT_TRAMP_SIZE - COMMON_SIZE) / STUB_SIZE)
#define IN_STUB(l)   ((uint64_t)((l)-soft_stub_template))
#define IN_COMMON(l) ((uint64_t)((l)-soft_common_template))

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

/* The first free place above ELRANGE, at most 1 GiB up. NULL: none, slots will trap. */
static uint8_t *tramp_area(const struct sgx_enclave *e)
{
    uint64_t end = e->base + e->size;

    for (uint64_t off = 0; off < (1ull << 30); off = off == 0 ? SOFT_TRAMP_SIZE : off * 2) {
        void *want = (void *)(end + off);
        void *p = mmap(want, SOFT_TRAMP_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

        if (p == want) {
            return p;
        }
        if (p != MAP_FAILED) {
            (void)munmap(p, SOFT_TRAMP_SIZE);
        }
    }
    return NULL;
}

static void literals(const struct sgx_enclave *e, uint8_t *at, uint64_t next)
{
    const uint64_t l[LIT_END / 8] = {
        [LIT_BASE / 8] = e->base,
        [LIT_SIZE / 8] = e->size,
        [LIT_GS_TABLE / 8] = (uint64_t)e->gs_table,
        [LIT_AEP / 8] = (uint64_t)soft_aep,
        [LIT_LEAF_CALL / 8] = (uint64_t)soft_leaf_enter,
        [LIT_LEAF_XCALL / 8] = (uint64_t)soft_leaf_xenter,
        [LIT_COMMON / 8] = (uint64_t)e->tramp,
        [LIT_NEXT / 8] = next,
    };

    memcpy(at, l, sizeof(l));
}

int soft_slots_map(struct sgx_enclave *e)
{
    e->tramp = tramp_area(e);
    if (e->tramp == NULL) {
        return 0;
    }
    memcpy(e->tramp, soft_common_template, COMMON_SIZE);
    literals(e, e->tramp + IN_COMMON(soft_common_literals), 0);
    return 0;
}

void soft_slots_unmap(struct sgx_enclave *e)
{
    if (e->tramp != NULL) {
        (void)munmap(e->tramp, SOFT_TRAMP_SIZE);
        e->tramp = NULL;
    }
}

static bool executable(const struct sgx_enclave *e, uint64_t first, uint64_t last)
{
    for (uint64_t page = first; page <= last; page++) {
        uint64_t entry = soft_epcm_load(e, page);

        if ((entry & (EPCM_VALID | EPCM_X)) != (EPCM_VALID | EPCM_X) ||
            epcm_type(entry) != SGX_PT_REG) {
            return false;
        }
    }
    return true;
}

/* Rewrites one slot when the bytes are there, in regular executable pages, with the trampoline in
 * reach. Anything else stays an ENCLU that traps. */
static void rewrite(struct sgx_enclave *e, uint64_t offset)
{
    uint8_t *slot = (uint8_t *)(e->base + offset);
    uint64_t first = offset >> NACRE_PAGE_SHIFT;
    uint64_t last = (offset + SOFT_SLOT_BYTES - 1) >> NACRE_PAGE_SHIFT;
    uint64_t next = e->base + offset + SOFT_SLOT_BYTES;
    uint8_t *stub = e->tramp + COMMON_SIZE + e->stub_count * STUB_SIZE;
    uint32_t rel = (uint32_t)((uint64_t)stub - next);

    if (e->stub_count == STUBS_MAX || !executable(e, first, last) ||
        (uint64_t)stub - next > REACH ||
        soft_protect_locked(e, first, last - first + 1, EPCM_R | EPCM_W) < 0) {
        return;
    }
    if (memcmp(slot, slot_bytes, SOFT_SLOT_BYTES) == 0) {
        memcpy(stub, soft_stub_template, STUB_SIZE);
        literals(e, stub + IN_STUB(soft_stub_literals), next);
        slot[0] = 0xe9; /* jmp rel32 */
        memcpy(slot + 1, &rel, sizeof(rel));
        e->stub_count++;
    }
    (void)soft_apply_range_locked(e, first, last - first + 1);
}

int soft_slots_rewrite(struct sgx_enclave *e)
{
    if (e->tramp == NULL) {
        return 0;
    }
    for (size_t i = 0; i < e->slot_count; i++) {
        rewrite(e, e->slots[i]);
    }
    return mprotect(e->tramp, SOFT_TRAMP_SIZE, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

static uint64_t leaf_at(uint64_t off)
{
    static const struct {
        const char *start;
        uint64_t leaf;
    } doors[] = {
        {soft_common_leaf7, ENCLU_EACCEPTCOPY}, {soft_common_leaf6, ENCLU_EMODPE},
        {soft_common_leaf5, ENCLU_EACCEPT},     {soft_common_leaf4, ENCLU_EEXIT},
        {soft_common_leaf1, ENCLU_EGETKEY},     {soft_common_leaf0, ENCLU_EREPORT},
    };

    for (size_t i = 0; i < ARRAY_COUNT(doors); i++) {
        if (off >= IN_COMMON(doors[i].start)) {
            return doors[i].leaf;
        }
    }
    return UINT64_MAX;
}

uint64_t soft_slot_next(const struct sgx_enclave *e, uint64_t stub_rip)
{
    uint64_t off = stub_rip - (uint64_t)e->tramp - COMMON_SIZE;
    const uint8_t *stub = e->tramp + COMMON_SIZE + off / STUB_SIZE * STUB_SIZE;

    return le64_load(stub + IN_STUB(soft_stub_literals) + LIT_NEXT);
}

uint64_t soft_leaf_continues(const struct sgx_enclave *e, uint64_t stub_rip)
{
    uint64_t off = stub_rip - (uint64_t)e->tramp - COMMON_SIZE;
    uint64_t next = soft_slot_next(e, stub_rip);

    return off % STUB_SIZE == 0 ? next - SOFT_SLOT_BYTES : next;
}

enum soft_place soft_tramp_fixup(const struct sgx_enclave *e, struct soft_regs *regs)
{
    uint64_t off = regs->rip - (uint64_t)e->tramp;
    uint64_t leaf;
    uint64_t back;

    if (off < COMMON_SIZE) {
        leaf = leaf_at(off);
        regs->rax = leaf == UINT64_MAX ? regs->rax : leaf;
        memcpy(&back, (const void *)regs->rsp, sizeof(back));
        regs->rip = soft_slot_next(e, back) - SOFT_SLOT_BYTES;
        regs->rsp += 8;
        return SOFT_AT_SLOT;
    }
    back = regs->rip;
    off = (off - COMMON_SIZE) % STUB_SIZE;
    if (off > IN_STUB(soft_stub_commit) && off < IN_STUB(soft_stub_exit_end)) {
        regs->rax = ENCLU_EEXIT;
        regs->rcx = (uint64_t)soft_aep;
        regs->rip = regs->rbx;
        return SOFT_OUTSIDE;
    }
    regs->rip = soft_slot_next(e, back);
    if (off >= IN_STUB(soft_stub_back)) {
        return SOFT_BEHIND_SLOT;
    }
    regs->rip -= SOFT_SLOT_BYTES;
    /* RAX still is the leaf at the head, at the ENCLU and at the call. */
    if (off >= IN_STUB(soft_stub_eexit) && off < IN_STUB(soft_stub_other)) {
        regs->rax = ENCLU_EEXIT;
    }
    return SOFT_AT_SLOT;
}
