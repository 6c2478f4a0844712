/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Every way in and out of the enclave, and every way between the application and the library OS.
 *
 *   EENTER, CSSA 0   first entry of a thread, or return of a host call
 *   EENTER, CSSA 1   something interrupted the enclave: the first stage (trap.c) looks at SSA[0],
 *                    redirects it if need be, and leaves with EXIT_RESUME. The second stage then
 *                    runs here at CSSA 0, where host calls and waits are allowed.
 *   syscall_entry    a rewritten system call of the application (rcx: where to go on)
 *
 * GS is this thread's control page throughout. FS is the application's; it is saved by whoever
 * leaves the enclave. The C code uses general registers only, so the application's vector state
 * stays in the registers and is saved where it must be scrubbed: on the way out.
 *
 * ENCLU sits in slots of five bytes (abi/enclave_layout.h); nothing may live below RSP there.
 */

#include "abi/enclave_note.h"
#include "libos/boot/scrub.h"
#include "libos/boot/thread_page.h"

    ENCLAVE_CONFIG_NOTE threads=LIBOS_MEASURED_THREADS, ssa_frames=LIBOS_SSA_FRAMES, stack_size=LIBOS_STACK_SIZE, trap_stack_size=LIBOS_TRAP_STACK_SIZE

#define ENTRY_START  0
#define ENTRY_THREAD 1
#define ENTRY_RETURN 2

#define LEAF_EEXIT 4

/* DF, AC, TF */
#define RFLAGS_HOSTILE 0x40500
#define RFLAGS_CLEAN   0x2

.macro FUNCTION name
    .globl \name
    .hidden \name
    .type \name, @function
    .p2align 4
\name:
.endm

.macro CLEAN_FLAGS
    pushq $RFLAGS_CLEAN
    popfq
.endm

/* Nothing of ours may reach the host in a register. */
.macro SCRUB_GENERAL
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
.endm

.text

FUNCTION enclave_entry
    testl %eax, %eax
    jnz .Ltrap
    cmpq $ENTRY_RETURN, %rdi
    jne .Lfirst
    cmpl $TP_STATE_HOSTCALL, %gs:TP_STATE
    jne .Labort
    movq %rsp, %gs:TP_URSP
    movq %rbp, %gs:TP_URBP
    movq %rcx, %gs:TP_URET
    movq %gs:TP_SAVED_RSP, %rsp
    CLEAN_FLAGS
    movl $TP_STATE_RUNNING, %gs:TP_STATE
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 %gs:TP_XSAVE
    movq %gs:TP_FSBASE, %rax
    wrfsbase %rax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

/* First entry on this TCS: the start of the enclave, or a new thread. */
.Lfirst:
    cmpq $ENTRY_START, %rdi
    je .Lstart
    cmpq $ENTRY_THREAD, %rdi
    jne .Labort
    /* In one step: who asked the host for this thread may be taking the slot back (proc/slots.c). */
    movl $TP_STATE_READY, %eax
    movl $TP_STATE_RUNNING, %r8d
    lock cmpxchgl %r8d, %gs:TP_STATE
    jne .Labort
    movq %rsp, %gs:TP_URSP
    movq %rbp, %gs:TP_URBP
    movq %rcx, %gs:TP_URET
    movq %gs:TP_STACK_TOP, %rsp
    CLEAN_FLAGS
    xorl %ebp, %ebp
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 vector_init(%rip)
    rdgsbase %rdi
    call thread_entry
    ud2

.Lstart:
    /* Slot 0 alone starts the enclave, once. */
    xorl %eax, %eax
    movl $1, %r8d
    lock cmpxchgl %r8d, enclave_started(%rip)
    jne .Labort
    cmpl $TP_STATE_FRESH, %gs:TP_STATE
    jne .Labort
    movl $TP_STATE_RUNNING, %gs:TP_STATE
    movq %rsp, %gs:TP_URSP
    movq %rbp, %gs:TP_URBP
    movq %rcx, %gs:TP_URET
    /* stack top: image start - image offset + stack top offset, all measured */
    leaq __image_start(%rip), %rax
    subq %gs:TP_IMAGE_OFFSET, %rax
    addq %gs:TP_STACK_TOP_OFFSET, %rax
    movq %rax, %rsp
    CLEAN_FLAGS
    xorl %ebp, %ebp
    movq %rdx, %r12
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 vector_init(%rip)
    rdgsbase %rdi
    movq %r12, %rdx
    call boot_start
    ud2

/* The host broke the protocol. Leave without a word: registers hold only what it gave us. */
.Labort:
    movq %rcx, %rbx
    movl $LEAF_EEXIT, %eax
    ENCLU_SLOT
    ud2

/* CSSA > 0. A second exception inside the first stage is a bug of ours: refuse. */
.Ltrap:
    cmpl $1, %eax
    jne .Labort
    cmpq $0, %gs:TP_TRAP_TOP
    je .Labort
    movq %rsp, %gs:TP_TRAP_URSP
    movq %rbp, %gs:TP_TRAP_URBP
    movq %rcx, %gs:TP_TRAP_URET
    movq %gs:TP_TRAP_TOP, %rsp
    CLEAN_FLAGS
    call trap_first_stage /* rdi, rsi: as the host gave them */
    movq %gs:TP_TRAP_URET, %rbx
    movq %gs:TP_TRAP_URSP, %rsp
    movq %gs:TP_TRAP_URBP, %rbp
    SCRUB_GENERAL
    movl $LEAF_EEXIT, %eax
    ENCLU_SLOT
    ud2

/* void hostcall_leave(void): the request stands in the block; comes back when it was served. */
FUNCTION hostcall_leave
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    rdfsbase %rax
    movq %rax, %gs:TP_FSBASE
    movq %rsp, %gs:TP_SAVED_RSP
    movl $-1, %eax
    movl $-1, %edx
    xsave64 %gs:TP_XSAVE
    movl $TP_STATE_HOSTCALL, %gs:TP_STATE
.Lleave:
    SCRUB_VECTORS vector_init(%rip), 24+vector_init(%rip)
    movq %gs:TP_URET, %rbx
    movq %gs:TP_URSP, %rsp
    movq %gs:TP_URBP, %rbp
    SCRUB_GENERAL
    movl $LEAF_EEXIT, %eax
    ENCLU_SLOT
    ud2

/* void hostcall_leave_for_good(void): the thread or the enclave is done. */
FUNCTION hostcall_leave_for_good
    movl $TP_STATE_DONE, %gs:TP_STATE
    jmp .Lleave

/* uint64_t enclu2(leaf, rbx, rcx), enclu3(leaf, rbx, rcx, rdx): leaves that stay inside. */
FUNCTION enclu
    pushq %rbx
    movq %rdi, %rax
    movq %rsi, %rbx
    xchgq %rdx, %rcx
    ENCLU_SLOT
    popq %rbx
    ret

/* ---- application <-> library OS ---- */

.macro PUSH_GENERAL_BELOW_RSP
    pushq %rbp
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rbx
    pushq %rax
.endm

.macro PUSH_R8_R15
    pushq %r15
    pushq %r14
    pushq %r13
    pushq %r12
    pushq %r11
    pushq %r10
    pushq %r9
    pushq %r8
.endm

/* rcx: return address, everything else as at `syscall`; on the application's stack. */
FUNCTION syscall_entry
    movq %rsp, %gs:TP_SCRATCH
    movq %gs:TP_KSTACK, %rsp
    pushfq
    movq (%rsp), %r11
    pushq %rcx
    PUSH_R8_R15
    pushq %gs:TP_SCRATCH
    PUSH_GENERAL_BELOW_RSP
    testl $RFLAGS_HOSTILE, %r11d
    jnz .Lsyscall_flags
.Lsyscall_go:
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call syscall_from_app
    jmp return_to_app
.Lsyscall_flags:
    CLEAN_FLAGS
    jmp .Lsyscall_go

/* Second stage. The first one set RSP to the kernel stack and left the interrupted RIP, RSP and
 * RFLAGS in the control page. */
FUNCTION exception_entry_app
    pushq %gs:TP_EXC_RFLAGS
    pushq %gs:TP_EXC_RIP
    PUSH_R8_R15
    pushq %gs:TP_EXC_RSP
    PUSH_GENERAL_BELOW_RSP
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call exception_from_app
    jmp return_to_app

/* The same for a fault of the library OS itself: RSP is below its own frame. The handler either
 * repairs the cause or moves rip to a fixup. */
FUNCTION exception_entry_libos
    pushq %gs:TP_EXC_RFLAGS
    pushq %gs:TP_EXC_RIP
    PUSH_R8_R15
    pushq %gs:TP_EXC_RSP
    PUSH_GENERAL_BELOW_RSP
    movq %rsp, %rdi
    call exception_from_libos
    popq %rax
    popq %rbx
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rbp
    popq %gs:TP_SCRATCH
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    popq %gs:TP_JUMP
    popfq
    movq %gs:TP_SCRATCH, %rsp
    jmp *%gs:TP_JUMP

/* void enter_app(void): goes to the application by the context at the top of the kernel stack. */
FUNCTION enter_app
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 vector_init(%rip)
    ldmxcsr %gs:TP_MXCSR
    fldcw %gs:TP_X87
/* Back to the application by the frame at the top of the kernel stack. Between the look at `work`
 * and the last jump a signal must not be overlooked: when the first stage finds the thread between
 * return_to_app and return_to_app_end it starts this over. The frame stays valid to the end. */
FUNCTION return_to_app
    movq %gs:TP_KSTACK, %rsp
    subq $CTX_SIZE, %rsp
    movq %gs:TP_CURRENT, %rax
    cmpl $0, THREAD_WORK(%rax)
    jne .Lwork
    popq %rax
    popq %rbx
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rbp
    popq %gs:TP_SCRATCH
    popq %r8
    popq %r9
    popq %r10
    popq %r11
    popq %r12
    popq %r13
    popq %r14
    popq %r15
    popq %gs:TP_JUMP
    popfq
    movq %gs:TP_SCRATCH, %rsp
    jmp *%gs:TP_JUMP
    .globl return_to_app_end
    .hidden return_to_app_end
return_to_app_end:
.Lwork:
    movq %rsp, %rdi
    xorl %ebp, %ebp
    call thread_do_work
    jmp return_to_app

/* ---- application memory, with fixups ---- */

.macro FIXUP from, to
    .pushsection .fixups, "a", @progbits
    .p2align 2
.Lfixup_\@:
    .long \from - .Lfixup_\@
    .long \to - .Lfixup_\@
    .popsection
.endm

/* size_t user_raw_copy(void *dst, const void *src, size_t size): bytes not copied. */
FUNCTION user_raw_copy
    movq %rdx, %rcx
.Lcopy:
    rep movsb
    FIXUP .Lcopy, .Lcopy_out
.Lcopy_out:
    movq %rcx, %rax
    ret

/* size_t user_raw_clear(void *dst, size_t size): bytes not cleared. */
FUNCTION user_raw_clear
    movq %rsi, %rcx
    xorl %eax, %eax
.Lclear:
    rep stosb
    FIXUP .Lclear, .Lclear_out
.Lclear_out:
    movq %rcx, %rax
    ret

/* int user_raw_load32(const uint32_t *src, uint32_t *dst): 0, or 1 on a fault. */
FUNCTION user_raw_load32
    xorl %eax, %eax
.Lload32:
    movl (%rdi), %ecx
    FIXUP .Lload32, .Lfault1
    movl %ecx, (%rsi)
    ret
.Lfault1:
    movl $1, %eax
    ret

/* int user_raw_cmpxchg32(uint32_t *p, uint32_t *expected, uint32_t desired): 0 done, 2 differs
 * (*expected updated), 1 fault. */
FUNCTION user_raw_cmpxchg32
    movl (%rsi), %eax
.Lcas32:
    lock cmpxchgl %edx, (%rdi)
    FIXUP .Lcas32, .Lfault1
    jne .Lcas32_differs
    xorl %eax, %eax
    ret
.Lcas32_differs:
    movl %eax, (%rsi)
    movl $2, %eax
    ret

/* ---- data ---- */

.section .rodata
.p2align 6
/* XRSTOR from here puts every component into its initial state: XSTATE_BV is zero. */
    .globl vector_init
    .hidden vector_init
vector_init:
    .word 0x37f
    .fill 22, 1, 0
    .long 0x1f80
    .fill 548, 1, 0

.data
.p2align 2
enclave_started:
    .long 0

.section .note.GNU-stack, "", @progbits
