/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Asynchronous enclave exit (SDM 38.3, 38.4): the state of the interrupted enclave goes to
 * SSA[CSSA], the signal context becomes the synthetic state at the AEP. Runs in signal handlers.
 */

#include "softsgx/internal.h"

#include <string.h>

#define FXSAVE_SIZE  512u
#define XHEADER_SIZE 64u
#define FX_SW_OFFSET 464u
#define FX_MAGIC1    0x46505853u
#define FCW_INIT     0x037fu
#define MXCSR_INIT   0x1f80u

void soft_regs_from_context(struct soft_regs *r, const ucontext_t *uc)
{
    const greg_t *g = uc->uc_mcontext.gregs;

    *r = (struct soft_regs){
        .rax = (uint64_t)g[REG_RAX],
        .rcx = (uint64_t)g[REG_RCX],
        .rdx = (uint64_t)g[REG_RDX],
        .rbx = (uint64_t)g[REG_RBX],
        .rsp = (uint64_t)g[REG_RSP],
        .rbp = (uint64_t)g[REG_RBP],
        .rsi = (uint64_t)g[REG_RSI],
        .rdi = (uint64_t)g[REG_RDI],
        .r8 = (uint64_t)g[REG_R8],
        .r9 = (uint64_t)g[REG_R9],
        .r10 = (uint64_t)g[REG_R10],
        .r11 = (uint64_t)g[REG_R11],
        .r12 = (uint64_t)g[REG_R12],
        .r13 = (uint64_t)g[REG_R13],
        .r14 = (uint64_t)g[REG_R14],
        .r15 = (uint64_t)g[REG_R15],
        .rflags = (uint64_t)g[REG_EFL],
        .rip = (uint64_t)g[REG_RIP],
    };
}

void soft_regs_to_context(ucontext_t *uc, const struct soft_regs *r)
{
    greg_t *g = uc->uc_mcontext.gregs;

    g[REG_RAX] = (greg_t)r->rax;
    g[REG_RCX] = (greg_t)r->rcx;
    g[REG_RDX] = (greg_t)r->rdx;
    g[REG_RBX] = (greg_t)r->rbx;
    g[REG_RSP] = (greg_t)r->rsp;
    g[REG_RBP] = (greg_t)r->rbp;
    g[REG_RSI] = (greg_t)r->rsi;
    g[REG_RDI] = (greg_t)r->rdi;
    g[REG_R8] = (greg_t)r->r8;
    g[REG_R9] = (greg_t)r->r9;
    g[REG_R10] = (greg_t)r->r10;
    g[REG_R11] = (greg_t)r->r11;
    g[REG_R12] = (greg_t)r->r12;
    g[REG_R13] = (greg_t)r->r13;
    g[REG_R14] = (greg_t)r->r14;
    g[REG_R15] = (greg_t)r->r15;
    g[REG_EFL] = (greg_t)r->rflags;
    g[REG_RIP] = (greg_t)r->rip;
}

/* The components of XFRM as XSAVE would write them: present ones from the signal frame, those in
 * their initial configuration as that configuration. */
static void save_xstate(uint8_t *ssa, uint64_t xfrm, const uint8_t *frame)
{
    uint64_t present = 0;

    if (frame != NULL) {
        uint32_t magic;

        memcpy(&magic, frame + FX_SW_OFFSET, sizeof(magic));
        memcpy(&present, frame + FXSAVE_SIZE, sizeof(present));
        if (magic != FX_MAGIC1) {
            present = SGX_XFRM_LEGACY;
        }
    }
    present &= xfrm;
    memset(ssa, 0, FXSAVE_SIZE + XHEADER_SIZE);
    if ((present & 1) != 0) {
        memcpy(ssa, frame, 24);            /* FCW .. FDP */
        memcpy(ssa + 32, frame + 32, 128); /* ST0-7 */
    } else {
        const uint16_t fcw = FCW_INIT;

        memcpy(ssa, &fcw, sizeof(fcw));
    }
    if ((present & 2) != 0) {
        memcpy(ssa + 160, frame + 160, 256); /* XMM0-15 */
    }
    if (frame != NULL && (present & 6) != 0) {
        memcpy(ssa + 24, frame + 24, 4); /* MXCSR belongs to SSE and AVX */
        memcpy(ssa + 28, frame + 28, 4);
    } else {
        const uint32_t init[2] = {MXCSR_INIT, 0xffff};

        memcpy(ssa + 24, init, sizeof(init));
    }
    for (unsigned i = 2; i < 63; i++) {
        uint32_t offset;
        uint32_t size;

        if ((xfrm & (1ull << i)) == 0) {
            continue;
        }
        soft_xstate_component(i, &offset, &size);
        if ((present & (1ull << i)) != 0) {
            memcpy(ssa + offset, frame + offset, size);
        } else {
            memset(ssa + offset, 0, size);
        }
    }
    memcpy(ssa + FXSAVE_SIZE, &present, sizeof(present));
}

static void clear_xstate(uint8_t *frame, uint64_t xfrm)
{
    const uint16_t fcw = FCW_INIT;
    const uint32_t mxcsr = MXCSR_INIT;
    uint64_t present;
    uint32_t magic;

    if (frame == NULL) {
        return;
    }
    memset(frame, 0, 24);
    memcpy(frame, &fcw, sizeof(fcw));
    memcpy(frame + 24, &mxcsr, sizeof(mxcsr));
    memset(frame + 32, 0, 128 + 256);
    memcpy(&magic, frame + FX_SW_OFFSET, sizeof(magic));
    if (magic == FX_MAGIC1) {
        memcpy(&present, frame + FXSAVE_SIZE, sizeof(present));
        present &= ~xfrm;
        memcpy(frame + FXSAVE_SIZE, &present, sizeof(present));
    }
}

/* EXITINFO and EXINFO (SDM 35.9.1.1, 35.9.2.1): which exceptions the enclave is told of. */
static void save_exit_reason(const struct sgx_enclave *e, struct sgx_gprsgx *g,
                             const struct soft_fault *fault)
{
    bool extended = (e->id.miscselect & SGX_MISC_EXINFO) != 0;
    struct sgx_exinfo *exinfo = (struct sgx_exinfo *)(void *)((uint8_t *)g - sizeof(*exinfo));

    g->exitinfo = 0;
    if (fault == NULL) {
        return;
    }
    if (fault->vector == X86_PF || fault->vector == X86_GP) {
        if (!extended) {
            return;
        }
        *exinfo = (struct sgx_exinfo){
            .maddr = fault->vector == X86_PF ? fault->addr : 0,
            .errcd = fault->error_code,
        };
    }
    g->exitinfo = (uint32_t)fault->vector | SGX_EXITINFO_VALID |
                  (fault->vector == X86_BP ? SGX_EXITINFO_SW_EXCEPTION : SGX_EXITINFO_HW_EXCEPTION);
}

void soft_aex(struct soft_thread *th, ucontext_t *uc, const struct soft_regs *regs, uint64_t fsbase,
              const struct soft_fault *fault)
{
    struct soft_tcs *t = th->cur;
    struct sgx_enclave *e = t->enclave;
    uint8_t *frame = (uint8_t *)(t->ssa + t->cssa * e->ssa_frame_size);
    struct sgx_gprsgx *g = (struct sgx_gprsgx *)(void *)(frame + e->ssa_frame_size - sizeof(*g));
    uint8_t *fpstate = (uint8_t *)uc->uc_mcontext.fpregs;
    struct soft_regs out = {0};
    struct soft_fault ignored;

    /* EENTER made sure of the frame; it may only have been taken away since by a host that does
     * not wait for its threads (no ETRACK). There is nowhere to save to then. */
    for (uint64_t a = (uint64_t)frame; a < (uint64_t)frame + e->ssa_frame_size;
         a += NACRE_PAGE_SIZE) {
        if (soft_access(e, a, EPCM_R | EPCM_W, &ignored) != SOFT_OK) {
            soft_die("softsgx: the SSA frame of a running enclave thread was taken away\n");
        }
    }
    soft_flush_open(th);
    save_xstate(frame, e->xfrm, fpstate);
    memcpy(g, regs, sizeof(*regs));
    g->rflags &= ~X86_TF;
    g->fsbase = fsbase;
    g->gsbase = soft_rdgsbase();
    save_exit_reason(e, g, fault);
    out.rsp = g->ursp;
    out.rbp = g->urbp;
    out.rax = ENCLU_ERESUME;
    out.rbx = t->linear;
    out.rcx = (uint64_t)soft_aep;
    out.rip = (uint64_t)soft_aep;
    out.rflags = regs->rflags & ~(X86_STATUS_FLAGS | X86_TF | X86_RF);
    soft_regs_to_context(uc, &out);
    clear_xstate(fpstate, e->xfrm);
    t->cssa++;
    th->leaf = LEAF_NONE;
    __atomic_store_n(&t->owner, NULL, __ATOMIC_RELEASE);
}
