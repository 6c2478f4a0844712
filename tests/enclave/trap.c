/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Nested entries. An exception that was expected is recorded, and the interrupted level goes on at
 * the place its code named, by editing RIP in the SSA frame; an unexpected one ends the enclave.
 */
#include "enclave/enclave.h"

static struct sgx_gprsgx *frame_gpr(struct thread *t, uint64_t cssa)
{
    const uint64_t end = enclave_base + t->page.ssa_offset + cssa * t->page.ssa_frame_size;

    return (struct sgx_gprsgx *)(end - sizeof(struct sgx_gprsgx));
}

static void take_signals(struct thread *t)
{
    const uint64_t bits = __atomic_exchange_n(
        (uint64_t *)((uint64_t)t->block + offsetof(struct hostcall_block, signals)), 0,
        __ATOMIC_SEQ_CST);

    t->signals_seen++;
    t->signal_bits |= bits;
}

void enclave_trap(uint64_t is_signal, uint64_t cssa)
{
    struct thread *t = thread_self();
    struct sgx_gprsgx *gpr = frame_gpr(t, cssa);
    const struct sgx_exinfo *exinfo = (const void *)((uint64_t)gpr - sizeof(struct sgx_exinfo));

    t->exits += 2; /* the AEX, and the EEXIT behind this */
    if (is_signal != 0) {
        take_signals(t);
    } else {
        struct expected_trap *trap = &t->trap;

        if (t->nested_fault != 0) {
            t->nested_fault--;
            trap->count++;
            __asm__ volatile("ud2"); /* handled one level up: RIP moves on by 2 there */
        }
        if ((gpr->exitinfo & SGX_EXITINFO_VALID) == 0) {
            /* #PF and #GP are not reported without EXINFO; the host's word alone is worth nothing
             */
            host_abort(5);
        }
        trap->count++;
        trap->vector = gpr->exitinfo & SGX_EXITINFO_VECTOR_MASK;
        trap->cssa = (uint32_t)cssa;
        trap->addr = exinfo->maddr;
        trap->error_code = exinfo->errcd;
        if (cssa == 2) {
            gpr->rip += 2;
        } else if (gpr->rip == (uint64_t)enclave_probe_ud2) {
            gpr->rip += 2;
        } else if (trap->resume != 0) {
            gpr->rip = trap->resume;
        } else {
            host_abort(4);
        }
    }
    *(volatile uint32_t *)&t->block->exit = EXIT_RESUME;
}

bool trap_try(void (*function)(void *), void *argument, struct expected_trap *ret_trap)
{
    struct thread *t = thread_self();

    t->trap = (struct expected_trap){};
    enclave_try(function, argument, &t->trap.resume);
    *ret_trap = t->trap;
    t->trap.resume = 0;
    return ret_trap->count != 0;
}
