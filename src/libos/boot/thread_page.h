/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The control page of a thread: what GS points to for as long as the thread is inside. The loader
 * measures the first part (abi/enclave_layout.h), the rest is the entry code's. Assembly uses the
 * offsets below; the structure asserts them.
 */

#define TP_CURRENT          0  /* struct thread * */
#define TP_KSTACK           8  /* stack pointer at a system call */
#define TP_SYSCALL_ENTRY    16 /* trampolines jump here: jmp *%gs:16 */
#define TP_SCRATCH          24 /* stack pointer of the application, for a few instructions */
#define TP_STACK_TOP_OFFSET 80 /* measured, abi/enclave_layout.h */
#define TP_IMAGE_OFFSET     112
#define TP_STATE            152 /* enum thread_page_state */
#define TP_URSP             160 /* host registers to give back at EEXIT */
#define TP_URBP             168
#define TP_URET             176
#define TP_SAVED_RSP        184 /* library OS stack during a host call */
#define TP_FSBASE           192 /* application's FS base during a host call */
#define TP_JUMP             200 /* where to go on in the application */
#define TP_TRAP_TOP         208 /* stack for CSSA > 0 */
#define TP_TRAP_URSP        216
#define TP_TRAP_URBP        224
#define TP_TRAP_URET        232
#define TP_EXC_RIP          240 /* exception record: from the first stage to the second */
#define TP_EXC_RSP          248
#define TP_EXC_RFLAGS       256
#define TP_STACK_TOP        264 /* of CSSA 0, for the first entry */
#define TP_MXCSR            272 /* what a new thread starts with */
#define TP_X87              276
#define TP_XSAVE            1024

#define TP_STATE_FRESH    0 /* never entered */
#define TP_STATE_RUNNING  1
#define TP_STATE_HOSTCALL 2 /* outside, ENTRY_RETURN is expected */
#define TP_STATE_READY    3 /* a new thread is prepared, ENTRY_THREAD is expected */
#define TP_STATE_DONE     4

#define CTX_SIZE   144 /* struct cpu_context */
#define CTX_RAX    0
#define CTX_RIP    128
#define CTX_RFLAGS 136

#define TP_XSAVE_SIZE 3072

/* What the image asks of the loader (boot/entry.S has the note). */
#define LIBOS_MEASURED_THREADS 4
#define LIBOS_SSA_FRAMES       3
#define LIBOS_STACK_SIZE       0x10000
#define LIBOS_TRAP_STACK_SIZE  0x4000

/* struct thread, proc/thread.h: work comes first. */
#define THREAD_WORK 0

#ifndef __ASSEMBLER__

#include "abi/enclave_layout.h"
#include "abi/hostcall.h"
#include "abi/sgx_arch.h"
#include "libos/host/host_mem.h"
#include "libos/proc/thread.h"

struct thread_page {
    union {
        struct enclave_thread_page measured;
        struct {
            struct thread *current;
            uint64_t kstack;
            void (*syscall_entry)(void);
            uint64_t scratch;
        };
    };
    uint32_t state;
    uint32_t started; /* the block below was taken over */
    uint64_t ursp;
    uint64_t urbp;
    uint64_t uret;
    uint64_t saved_rsp;
    uint64_t fs_base;
    uint64_t jump;
    uint64_t trap_top;
    uint64_t trap_ursp;
    uint64_t trap_urbp;
    uint64_t trap_uret;
    uint64_t exc_rip;
    uint64_t exc_rsp;
    uint64_t exc_rflags;
    uint64_t stack_top;
    uint32_t mxcsr; /* of the thread that made this one: children inherit them */
    uint32_t x87_control;
    /* from here on C only */
    uint32_t exc_vector;
    uint32_t exc_code;
    uint64_t exc_addr;
    uint64_t enclave_base;
    struct hostcall_block *block; /* untrusted, checked once */
    struct host_bounce bounce;
    uint32_t *park; /* untrusted word */
    uint8_t *ssa;   /* SSA[0] */
    uint64_t tcs;
    uint64_t aex_count;
    uint64_t interruptions; /* asynchronous exits, and kicks that met it outside; proc/membarrier.c
                               reads it */
    uint32_t park_seq;      /* trusted twin of *park */
    uint64_t held_signals;  /* taken from the block, to be looked at as soon as that is allowed */
    struct list free_node;  /* proc/slots.c */
    uint32_t starts;        /* how often the host was asked to start a thread here */
    uint8_t xsave[TP_XSAVE_SIZE] _aligned_(1024);
};
_Static_assert(sizeof(struct thread_page) == NACRE_PAGE_SIZE, "one page");
#define TP_ASSERT(member, offset) \
    _Static_assert(offsetof(struct thread_page, member) == (offset), "entry.S depends on it")
TP_ASSERT(current, TP_CURRENT);
TP_ASSERT(kstack, TP_KSTACK);
TP_ASSERT(syscall_entry, TP_SYSCALL_ENTRY);
TP_ASSERT(scratch, TP_SCRATCH);
TP_ASSERT(state, TP_STATE);
TP_ASSERT(ursp, TP_URSP);
TP_ASSERT(urbp, TP_URBP);
TP_ASSERT(uret, TP_URET);
TP_ASSERT(saved_rsp, TP_SAVED_RSP);
TP_ASSERT(fs_base, TP_FSBASE);
TP_ASSERT(jump, TP_JUMP);
TP_ASSERT(trap_top, TP_TRAP_TOP);
TP_ASSERT(trap_ursp, TP_TRAP_URSP);
TP_ASSERT(trap_urbp, TP_TRAP_URBP);
TP_ASSERT(trap_uret, TP_TRAP_URET);
TP_ASSERT(exc_rip, TP_EXC_RIP);
TP_ASSERT(exc_rsp, TP_EXC_RSP);
TP_ASSERT(exc_rflags, TP_EXC_RFLAGS);
TP_ASSERT(stack_top, TP_STACK_TOP);
TP_ASSERT(mxcsr, TP_MXCSR);
TP_ASSERT(x87_control, TP_X87);
TP_ASSERT(xsave, TP_XSAVE);
TP_ASSERT(measured.stack_top_offset, TP_STACK_TOP_OFFSET);
TP_ASSERT(measured.image_offset, TP_IMAGE_OFFSET);
_Static_assert(offsetof(struct thread, work) == THREAD_WORK, "entry.S depends on it");
_Static_assert(sizeof(struct cpu_context) == CTX_SIZE, "entry.S depends on it");
_Static_assert(offsetof(struct cpu_context, rip) == CTX_RIP, "entry.S depends on it");
_Static_assert(offsetof(struct cpu_context, rflags) == CTX_RFLAGS, "entry.S depends on it");

static inline struct thread_page *thread_page(void)
{
    struct thread_page *p;

    /* The page's own address: GS base, readable by RDGSBASE. */
    __asm__("rdgsbase %0" : "=r"(p));
    return p;
}

/* A host signal that came while this thread was outside could not interrupt it: whoever comes back
 * in looks, so that it is taken on the way to the application. */
static inline void thread_page_note_signals(struct thread_page *tp)
{
    if (tp->block != NULL && __atomic_load_n(&tp->block->signals, __ATOMIC_RELAXED) != 0 &&
        tp->current != NULL) {
        (void)__atomic_or_fetch(&tp->current->work, WORK_SIGNAL, __ATOMIC_SEQ_CST);
        __atomic_store_n(&tp->interruptions, tp->interruptions + 1, __ATOMIC_RELEASE);
    }
}

#endif
