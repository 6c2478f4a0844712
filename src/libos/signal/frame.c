/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The handler's frame, byte for byte what the x86-64 Linux ABI puts on the stack (arch/x86
 * uapi/asm/sigcontext.h, ucontext.h): return address, ucontext, siginfo, and above them, aligned to
 * 64, the XSAVE area with the software-reserved words that tell its extent. Unwinders, Go's and
 * Java's runtimes all read it.
 *
 * The vector state is live in the registers when a frame is built (see signal.h), so XSAVE here
 * saves the application's and XRSTOR in rt_sigreturn is the last thing that touches it.
 */

#include <asm/sigcontext.h>
#include <linux/signal.h>

#include "libos/boot/entry.h"
#include "libos/boot/rewrite.h"
#include "libos/libos.h"
#include "libos/mm/user.h"
#include "libos/signal/state.h"

#define RED_ZONE             128u
#define XSAVE_HEADER         512u
#define XSAVE_MAX            2816u /* x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM: at most 2688 */
#define XSAVE_SW_OFFSET      464u
#define FRAME_EFLAGS         0x50dd5ull /* what a handler may change: CF PF AF ZF SF TF DF OF AC RF */
#define EFLAGS_DF            0x400ull
#define EFLAGS_TF            0x100ull
#define EFLAGS_RF            0x10000ull
/* uc_flags (the UAPI header cannot be included without libc). */
#define UC_FP_XSTATE         1ull
#define UC_SIGCONTEXT_SS     2ull
#define UC_STRICT_RESTORE_SS 4ull
#define ALTSTACK_AUTODISARM  (1u << 31)

#define USER_CS 0x33
#define USER_SS 0x2b

struct frame_context {
    uint64_t flags;
    uint64_t link;
    struct signal_altstack stack;
    struct sigcontext_64 mc;
    uint64_t mask;
};
_Static_assert(offsetof(struct frame_context, mc) == 40, "struct ucontext");
_Static_assert(offsetof(struct frame_context, mask) == 296, "struct ucontext");

struct frame {
    uint64_t return_address;
    struct frame_context uc;
    struct siginfo_kernel info;
};
_Static_assert(offsetof(struct frame, info) == 312, "struct rt_sigframe");

static uint64_t xcr0(void)
{
    uint32_t a;
    uint32_t d;

    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (uint64_t)d << 32 | a;
}

static void xsave_to(uint8_t *area)
{
    const uint64_t features = xcr0();
    struct _fpx_sw_bytes sw = {
        .magic1 = FP_XSTATE_MAGIC1,
        .extended_size = XSAVE_MAX + FP_XSTATE_MAGIC2_SIZE,
        .xfeatures = features,
        .xstate_size = XSAVE_MAX,
    };
    const uint32_t magic2 = FP_XSTATE_MAGIC2;

    __builtin_memset(area, 0, NACRE_PAGE_SIZE);
    __asm__ volatile("xsave64 %0"
                     : "+m"(*(uint8_t(*)[XSAVE_MAX])area)
                     : "a"((uint32_t)features), "d"((uint32_t)(features >> 32)));
    __builtin_memcpy(area + XSAVE_SW_OFFSET, &sw, sizeof(sw));
    __builtin_memcpy(area + XSAVE_MAX, &magic2, sizeof(magic2));
}

/* The application may have written anything there: only what XRSTOR accepts goes through. */
static int xrstor_from(uint8_t *area)
{
    const uint64_t features = xcr0();
    uint64_t present;
    uint32_t mxcsr;

    __builtin_memcpy(&present, area + XSAVE_HEADER, sizeof(present));
    present &= features;
    __builtin_memset(area + XSAVE_HEADER, 0, 64);
    __builtin_memcpy(area + XSAVE_HEADER, &present, sizeof(present));
    __builtin_memcpy(&mxcsr, area + 24, sizeof(mxcsr));
    mxcsr &= 0xffff;
    __builtin_memcpy(area + 24, &mxcsr, sizeof(mxcsr));
    __asm__ volatile("xrstor64 %0"
                     :
                     : "m"(*(uint8_t(*)[XSAVE_MAX])area), "a"((uint32_t)features),
                       "d"((uint32_t)(features >> 32)));
    return 0;
}

/* What a handler starts with, and a frame without vector state ends in. */
static void vector_reset(void)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(vector_init), "a"(~0u), "d"(~0u) : "memory");
}

static bool on_altstack(const struct signal_altstack *a, uint64_t sp)
{
    return (a->flags & SS_DISABLE) == 0 && sp - a->sp < a->size;
}

/* Where the frame goes, and where its XSAVE area. */
static int place(const struct cpu_context *ctx, const struct signal_state *s,
                 const struct signal_action *action, uint64_t *ret_frame, uint64_t *ret_xsave)
{
    const bool use_alt = (action->flags & SA_ONSTACK) != 0 &&
                         (s->altstack.flags & SS_DISABLE) == 0 &&
                         !on_altstack(&s->altstack, ctx->rsp);
    uint64_t sp = use_alt ? s->altstack.sp + s->altstack.size : ctx->rsp - RED_ZONE;
    const uint64_t top = sp;

    sp = (sp - (XSAVE_MAX + FP_XSTATE_MAGIC2_SIZE)) & ~63ull;
    *ret_xsave = sp;
    sp = ((sp - sizeof(struct frame)) & ~15ull) - 8;
    *ret_frame = sp;
    if (sp > top) {
        return -EFAULT; /* wrapped */
    }
    if ((use_alt || on_altstack(&s->altstack, ctx->rsp)) && !on_altstack(&s->altstack, sp)) {
        return -EFAULT; /* the alternate stack is too small for it */
    }
    return 0;
}

static void fill_context(struct frame *f, const struct cpu_context *ctx,
                         const struct signal_state *s, uint64_t mask, uint64_t xsave)
{
    struct sigcontext_64 *mc = &f->uc.mc;

    f->uc.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    f->uc.stack = s->altstack;
    f->uc.mask = mask;
    mc->r8 = ctx->r8;
    mc->r9 = ctx->r9;
    mc->r10 = ctx->r10;
    mc->r11 = ctx->r11;
    mc->r12 = ctx->r12;
    mc->r13 = ctx->r13;
    mc->r14 = ctx->r14;
    mc->r15 = ctx->r15;
    mc->di = ctx->rdi;
    mc->si = ctx->rsi;
    mc->bp = ctx->rbp;
    mc->bx = ctx->rbx;
    mc->dx = ctx->rdx;
    mc->ax = ctx->rax;
    mc->cx = ctx->rcx;
    mc->sp = ctx->rsp;
    /* As if the code were never rewritten: unwinders and musl's cancellation look at it. */
    mc->ip = rewrite_original_rip(ctx->rip);
    mc->flags = ctx->rflags;
    mc->cs = USER_CS;
    mc->ss = USER_SS;
    mc->oldmask = mask;
    mc->fpstate = xsave;
}

int signal_push_frame(struct cpu_context *ctx, int signo, const struct siginfo_kernel *info,
                      const struct signal_action *action, uint64_t mask, bool restart)
{
    struct signal_state *s = thread_current()->signals;
    struct frame f = {.return_address = action->restorer, .info = *info};
    uint64_t frame;
    uint64_t xsave;

    if ((action->flags & SA_RESTORER) == 0) {
        return -EFAULT; /* the x86-64 ABI demands one */
    }
    if (place(ctx, s, action, &frame, &xsave) < 0) {
        return -EFAULT;
    }
    fill_context(&f, ctx, s, mask, xsave);
    if (restart) {
        /* Back to the call: the `syscall`, or the jump that took its place, runs again. */
        f.uc.mc.ip -= 2;
    }
    if (signo == SIGSEGV || signo == SIGBUS) {
        f.uc.mc.cr2 = info->fault.addr;
        f.uc.mc.trapno = 14;
    }
    xsave_to(s->xsave);
    if (user_copy_out(xsave, s->xsave, XSAVE_MAX + FP_XSTATE_MAGIC2_SIZE) < 0 ||
        user_copy_out(frame, &f, sizeof(f)) < 0) {
        return -EFAULT;
    }
    if ((s->altstack.flags & (int32_t)ALTSTACK_AUTODISARM) != 0 &&
        on_altstack(&s->altstack, frame)) {
        s->altstack = (struct signal_altstack){.flags = SS_DISABLE};
    }
    vector_reset();
    ctx->rdi = (uint64_t)signo;
    ctx->rsi = frame + offsetof(struct frame, info);
    ctx->rdx = frame + offsetof(struct frame, uc);
    ctx->rax = 0;
    ctx->rsp = frame;
    ctx->rip = action->handler;
    ctx->rflags &= ~(EFLAGS_DF | EFLAGS_TF | EFLAGS_RF);
    return 0;
}

static void take_context(struct cpu_context *ctx, const struct sigcontext_64 *mc)
{
    ctx->r8 = mc->r8;
    ctx->r9 = mc->r9;
    ctx->r10 = mc->r10;
    ctx->r11 = mc->r11;
    ctx->r12 = mc->r12;
    ctx->r13 = mc->r13;
    ctx->r14 = mc->r14;
    ctx->r15 = mc->r15;
    ctx->rdi = mc->di;
    ctx->rsi = mc->si;
    ctx->rbp = mc->bp;
    ctx->rbx = mc->bx;
    ctx->rdx = mc->dx;
    ctx->rax = mc->ax;
    ctx->rcx = mc->cx;
    ctx->rsp = mc->sp;
    ctx->rip = mc->ip;
    ctx->rflags = (ctx->rflags & ~FRAME_EFLAGS) | (mc->flags & FRAME_EFLAGS);
}

int signal_pop_frame(struct cpu_context *ctx)
{
    struct thread *t = thread_current();
    struct signal_state *s = t->signals;
    struct frame_context uc;
    uint64_t old;

    /* `ret` in the handler popped the return address; the ucontext lies above it. */
    if (user_get(&uc, ctx->rsp) < 0) {
        return -EFAULT;
    }
    if (user_check(uc.mc.ip, 1) < 0) {
        return -EFAULT; /* would leave the enclave */
    }
    if (uc.mc.fpstate != 0) {
        if (user_copy_in(s->xsave, uc.mc.fpstate, XSAVE_MAX) < 0) {
            return -EFAULT;
        }
        (void)xrstor_from(s->xsave);
    } else {
        vector_reset();
    }
    take_context(ctx, &uc.mc);
    spin_lock(&t->process->signals->lock);
    old = s->mask;
    s->mask = uc.mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    signal_recompute(t);
    spin_unlock(&t->process->signals->lock);
    signal_mask_grew(t, old);
    if (!on_altstack(&s->altstack, ctx->rsp)) {
        s->altstack = uc.stack;
        s->altstack.flags &= (int32_t)(SS_DISABLE | ALTSTACK_AUTODISARM);
    }
    return 0;
}
