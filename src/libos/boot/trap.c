/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Exceptions and host signals, in two stages (entry.S explains why). The first stage runs at CSSA 1
 * on the trap stack, does nothing but read and edit SSA[0], and takes no lock. The second stage is
 * ordinary code at CSSA 0.
 *
 * The host chooses when and with what entry code we come here. It can invent entries, but not what
 * SSA[0] says happened: EXITINFO is the processor's.
 */

#include <linux/signal.h>

#include "abi/hostcall.h"
#include "libos/boot/boot.h"
#include "libos/boot/crash.h"
#include "libos/boot/emulate.h"
#include "libos/boot/entry.h"
#include "libos/boot/rewrite.h"
#include "libos/mm/mm.h"
#include "libos/mm/user.h"
#include "libos/proc/process_init.h"
#include "libos/signal/signal.h"
#include "libos/sys/syscall.h"
#include "libos/sys/trace.h"

#define RFLAGS_FORBIDDEN_IN_LIBOS 0x40500ull /* AC, DF, TF */

extern const char __text_start[] __attribute__((visibility("hidden")));
extern const char __text_end[] __attribute__((visibility("hidden")));

struct fixup {
    int32_t from;
    int32_t to;
};
extern const struct fixup __fixups_start[] __attribute__((visibility("hidden")));
extern const struct fixup __fixups_end[] __attribute__((visibility("hidden")));

static bool in_libos_text(uint64_t rip)
{
    return rip >= (uint64_t)__text_start && rip < (uint64_t)__text_end;
}

static bool in_return_path(uint64_t rip)
{
    return rip >= (uint64_t)return_to_app && rip < (uint64_t)return_to_app_end;
}

static struct sgx_gprsgx *ssa_gpr(const struct thread_page *tp)
{
    return (struct sgx_gprsgx *)(tp->ssa + tp->measured.ssa_frame_size - sizeof(struct sgx_gprsgx));
}

static const struct sgx_exinfo *ssa_exinfo(const struct thread_page *tp)
{
    return (const struct sgx_exinfo *)(tp->ssa + tp->measured.ssa_frame_size -
                                       sizeof(struct sgx_gprsgx) - sizeof(struct sgx_exinfo));
}

/* The block is the one this entry was made with: the thread's own may not be known yet (it comes in
 * for the first time) or not any more (its slot is being given to another thread). A host that
 * names a wrong one learns nothing and hears nothing. */
static void leave(uint64_t block, uint32_t code)
{
    struct hostcall_block *b = (struct hostcall_block *)block;

    if ((block & 7) == 0 && host_range_outside(b, sizeof(*b))) {
        __atomic_store_n(&b->exit, code, __ATOMIC_RELAXED);
    }
}

/* Sends the interrupted code to a second-stage entry. */
static void redirect(struct thread_page *tp, struct sgx_gprsgx *g, void (*to)(void), uint64_t rsp)
{
    tp->exc_rip = g->rip;
    tp->exc_rsp = g->rsp;
    tp->exc_rflags = g->rflags;
    g->rip = (uint64_t)to;
    g->rsp = rsp;
    g->rflags &= ~RFLAGS_FORBIDDEN_IN_LIBOS;
}

/* A host signal: note it for whoever returns to the application next, and make sure that somebody
 * does. */
static void first_stage_signal(struct thread_page *tp, struct sgx_gprsgx *g)
{
    if (tp->current != NULL) {
        (void)__atomic_or_fetch(&tp->current->work, WORK_SIGNAL, __ATOMIC_RELEASE);
    }
    if (in_return_path(g->rip)) {
        /* It may have looked at `work` already: start over. The frame is still whole. */
        g->rip = (uint64_t)return_to_app;
        g->rflags &= ~RFLAGS_FORBIDDEN_IN_LIBOS;
        return;
    }
    if (in_libos_text(g->rip)) {
        return;
    }
    tp->exc_vector = UINT32_MAX;
    redirect(tp, g, exception_entry_app, tp->kstack);
}

void trap_first_stage(uint64_t entry, uint64_t block)
{
    struct thread_page *tp = thread_page();
    struct sgx_gprsgx *g = ssa_gpr(tp);
    const uint32_t info = g->exitinfo;

    tp->aex_count++;
    __atomic_store_n(&tp->interruptions, tp->interruptions + 1, __ATOMIC_RELEASE);
    leave(block, EXIT_RESUME);
    if (tp->state != TP_STATE_RUNNING) {
        return;
    }
    g->exitinfo = 0;
    thread_page_note_signals(tp);
    if ((info & SGX_EXITINFO_VALID) == 0) {
        first_stage_signal(tp, g);
        return;
    }
    tp->exc_vector = info & SGX_EXITINFO_VECTOR_MASK;
    tp->exc_addr = 0;
    tp->exc_code = 0;
    if (tp->exc_vector == X86_PF || tp->exc_vector == X86_GP) {
        const struct sgx_exinfo *x = ssa_exinfo(tp);

        tp->exc_addr = x->maddr;
        tp->exc_code = x->errcd;
    }
    if (!in_libos_text(g->rip)) {
        redirect(tp, g, exception_entry_app, tp->kstack);
        return;
    }
    /* Below our own frame; no red zone in this build, but ENCLU slots own 8 bytes there. */
    if (!address_in_enclave(g->rsp - 4096, 4096)) {
        leave(block, EXIT_ABORT);
        return;
    }
    redirect(tp, g, exception_entry_libos, (g->rsp - 128) & ~15ull);
}

/* ---- second stage ---- */

static void run_syscall(struct cpu_context *ctx)
{
    const uint64_t args[6] = {ctx->rdi, ctx->rsi, ctx->rdx, ctx->r10, ctx->r8, ctx->r9};
    struct thread *t = thread_current();
    const uint64_t number = ctx->rax;

    t->context = ctx;
    ctx->rax = (uint64_t)syscall_dispatch(number, args);
    t = thread_current(); /* vfork begins and ends on one thread of the enclave */
    if (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) != 0) {
        thread_take_work(t, ctx, (int64_t)number);
    } else if (unlikely((int64_t)ctx->rax <= -ERESTARTSYS &&
                        (int64_t)ctx->rax >= -ERESTART_RESTARTBLOCK)) {
        signal_deliver(ctx, (int64_t)number);
    }
}

void syscall_from_app(struct cpu_context *ctx)
{
    run_syscall(ctx);
}

/* `syscall` trapped: do what the instruction would, then see to it that it need not trap again. */
static void emulate_syscall(struct cpu_context *ctx)
{
    const uint64_t site = ctx->rip;

    trace_count_trap();
    ctx->rip = rewrite_after(site);
    ctx->rcx = ctx->rip;
    ctx->r11 = ctx->rflags;
    rewrite_site(site, ctx->rax);
    run_syscall(ctx);
}

static bool try_emulate(struct cpu_context *ctx, uint32_t vector)
{
    uint8_t code[2];

    if (vector != X86_UD && vector != X86_GP) {
        return false;
    }
    if (rewrite_handle_trap(ctx)) {
        return true;
    }
    if (user_copy_in(code, ctx->rip, sizeof(code)) < 0) {
        return false;
    }
    if (code[0] == 0x0f && code[1] == 0x05) {
        emulate_syscall(ctx);
        return true;
    }
    return emulate_instruction(ctx);
}

/* In an enclave that is not being debugged INT3 is a fault: RIP is its own (SDM volume 3D, "INT3 in
 * enclave mode"). Programs expect the trap it is elsewhere, with RIP behind it. */
static void step_over_breakpoint(struct cpu_context *ctx)
{
    uint8_t opcode;

    if (user_get(&opcode, ctx->rip) == 0 && opcode == 0xcc) {
        ctx->rip++;
    }
}

void exception_from_app(struct cpu_context *ctx)
{
    struct thread_page *tp = thread_page();
    const uint32_t vector = tp->exc_vector;
    const uint32_t code = tp->exc_code;
    const uint64_t address = tp->exc_addr;
    bool mapped = false;

    tp->current->context = ctx;
    if (vector == UINT32_MAX || try_emulate(ctx, vector)) {
        return;
    }
    if (vector == X86_PF) {
        int r = mm_fault(address, code, ctx->rsp);

        if (r == 0) {
            trace_count_fault();
            return;
        }
        mapped = r == -EACCES;
        if (r == -ENOMEM) {
            crash_out_of_memory(ctx);
        }
        if (r == -EIO) {
            signal_force(SIGBUS, 2 /* BUS_ADRERR */, address);
            return;
        }
    }
    if (vector == X86_BP) {
        step_over_breakpoint(ctx);
    }
    trace_exception(ctx, vector, code, address);
    signal_raise_exception(ctx, vector, code, address, mapped);
}

void exception_from_libos(struct cpu_context *ctx)
{
    struct thread_page *tp = thread_page();
    const uint32_t vector = tp->exc_vector;
    const uint32_t code = tp->exc_code;
    const uint64_t address = tp->exc_addr;

    for (const struct fixup *f = __fixups_start; f < __fixups_end; f++) {
        if (ctx->rip != (uint64_t)f + (uint64_t)(int64_t)f->from) {
            continue;
        }
        if (vector == X86_PF && mm_fault(address, code, UINT64_MAX) == 0) {
            trace_count_fault();
            return;
        }
        ctx->rip = (uint64_t)f + (uint64_t)(int64_t)f->to;
        return;
    }
    crash_libos(ctx, vector, code, address);
}

void thread_do_work(struct cpu_context *ctx)
{
    thread_take_work(thread_current(), ctx, -1);
}
