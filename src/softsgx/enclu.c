/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* ENCLU inside an enclave: which leaf (SDM 40.4, table 37-2). Microcode. */

#include "softsgx/internal.h"

#include <sys/syscall.h>

extern const char soft_stub_template[], soft_stub_back[];

enum soft_result soft_enclu_leaf(struct soft_thread *th, struct soft_tcs *tcs,
                                 struct soft_regs *regs, struct soft_fault *ret_fault)
{
    switch ((uint32_t)regs->rax) {
    case ENCLU_EREPORT: return soft_ereport(th, tcs, regs, ret_fault);
    case ENCLU_EGETKEY: return soft_egetkey(th, tcs, regs, ret_fault);
    case ENCLU_EACCEPT: return soft_eaccept(th, tcs, regs, ret_fault);
    case ENCLU_EMODPE: return soft_emodpe(th, tcs, regs, ret_fault);
    case ENCLU_EACCEPTCOPY: return soft_eacceptcopy(th, tcs, regs, ret_fault);
    /* EENTER and ERESUME inside an enclave, and what this processor does not have. */
    default: return soft_gp(ret_fault);
    }
}

int soft_leaf_call(struct soft_thread *th)
{
    struct soft_fault fault;

    if ((uint32_t)th->regs.rax == ENCLU_EEXIT) {
        /* Not the leaf itself: pages accepted in this stay are opened first, then the stub runs
         * again. */
        soft_flush_open(th);
        th->regs.rip -= (uint64_t)(soft_stub_back - soft_stub_template);
        return 0;
    }
    return soft_enclu_leaf(th, th->cur, &th->regs, &fault) == SOFT_OK ? 0 : 1;
}

/* The signals that came during the leaf strike now: the thread counts as standing behind the slot
 * with th->regs (signal.c), so this may not return. */
void soft_leaf_deferred(struct soft_thread *th)
{
    th->deferred = 0;
    (void)soft_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&th->deferred_mask, 0, 8);
}
