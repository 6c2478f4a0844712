/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The test enclave's border. At EENTER: RAX = CSSA, RBX = TCS, RCX = where to leave to, RDI = what
 * the host wants, RSI = request block, RDX = argument, RSP and RBP = the host's, everything else
 * whatever the host left there. GS base is the control page of this TCS; nothing else is ours yet.
 *
 * One `level` for each CSSA keeps the host's RSP, RBP and way out, and the RSP of a thread that
 * waits for a host call to return. The host chooses when to enter with what; each combination that
 * makes no sense here leaves again at once, and says so if there is a block to say it in.
 */
#include "abi/enclave_note.h"
#include "enclave/layout_asm.h"

#define AC_FLAG 0x40000

    ENCLAVE_CONFIG_NOTE threads=18, ssa_frames=LEVELS, stack_size=0x8000, trap_stack_size=0x8000

/* Returns from a host call, the entry that counts: XRSTOR takes a tenth of a microsecond, so only
 * what the code here can feel is put right. MXCSR rules SSE arithmetic; AC would turn unaligned
 * accesses into exceptions the host sees. Vector registers hold nothing across the call, and x87
 * is not used by any code here (image_check looks). Keeps all but R11 and flags. */
.macro CLEAN_RETURN
    pushfq
    popq %r11
    testl $AC_FLAG, %r11d
    jz 1f
    andl $~AC_FLAG, %r11d
    pushq %r11
    popfq
1:
    ldmxcsr enclave_initial_state+24(%rip)
.endm

    .section .text.entry, "ax", @progbits
    .globl enclave_entry
    .hidden enclave_entry
    .type enclave_entry, @function
enclave_entry:
    cld
    cmpl $LEVELS, %eax
    jae .Lleave                     /* no such level: nothing to say it in either */
    movl %eax, %r10d
    shll $LEVEL_SHIFT, %r10d
    cmpl $ENTER_RETURN, %edi
    jne .Lnot_return

    /* A host call was served: go on where this level left. */
    cmpl %gs:T_LEVEL, %eax
    jne .Lrefuse
    movq %gs:T_LEVELS+L_SAVED_RSP(%r10), %r11
    testq %r11, %r11
    jz .Lrefuse
    movq $0, %gs:T_LEVELS+L_SAVED_RSP(%r10)
    movq %rsp, %gs:T_LEVELS+L_HOST_RSP(%r10)
    movq %rbp, %gs:T_LEVELS+L_HOST_RBP(%r10)
    movq %rcx, %gs:T_LEVELS+L_HOST_RIP(%r10)
    movq %r11, %rsp
    CLEAN_RETURN
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    /* What the return predictor holds is from the host's system call: a jump does better. */
    popq %rcx
    jmp *%rcx

.Lnot_return:
    testl %eax, %eax
    jnz .Ltrap

    /* The first entry of a thread: once, and never while it waits for a call. */
    cmpl $ENTER_THREAD, %edi
    ja .Lrefuse
    cmpq $0, %gs:T_LEVELS+L_SAVED_RSP
    jne .Lrefuse
    movl $1, %r11d
    xchgl %r11d, %gs:T_STARTED
    testl %r11d, %r11d
    jnz .Lrefuse
    movq %rsp, %gs:T_LEVELS+L_HOST_RSP
    movq %rbp, %gs:T_LEVELS+L_HOST_RBP
    movq %rcx, %gs:T_LEVELS+L_HOST_RIP
    leaq __image_start(%rip), %r8
    movabsq $IMAGE_OFFSET, %r9
    subq %r9, %r8                   /* r8 = enclave base */
    movq %gs:TP_STACK_TOP, %rsp
    addq %r8, %rsp
    xorl %ebp, %ebp
    pushq $0                        /* keeps the stack aligned at the call below */
    pushq $0
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r8
    call clean_state
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    call enclave_first_entry        /* (entry, block, argument, base); does not return */
    ud2

.Ltrap:
    /* Something interrupted the level below: SSA[CSSA - 1] knows what. */
    subl $ENTER_EXCEPTION, %edi
    cmpl $ENTER_SIGNAL - ENTER_EXCEPTION, %edi
    ja .Lrefuse
    cmpq $0, %gs:T_LEVELS+L_SAVED_RSP(%r10)
    jne .Lrefuse
    movq %rsp, %gs:T_LEVELS+L_HOST_RSP(%r10)
    movq %rbp, %gs:T_LEVELS+L_HOST_RBP(%r10)
    movq %rcx, %gs:T_LEVELS+L_HOST_RIP(%r10)
    movl %eax, %gs:T_LEVEL
    leaq __image_start(%rip), %r8
    movabsq $IMAGE_OFFSET, %r9
    subq %r9, %r8
    movq %gs:TP_TRAP_TOP, %rsp
    addq %r8, %rsp
    cmpl $1, %eax
    je 1f
    movq %gs:TP_TRAP_STACK_SIZE, %r9 /* the second half is for a trap within a trap */
    shrq $1, %r9
    subq %r9, %rsp
1:
    xorl %ebp, %ebp
    movl %eax, %esi
    pushq %rdi
    pushq %rsi
    call clean_state
    popq %rsi
    popq %rdi
    movl %esi, %r12d
    call enclave_trap               /* (is_signal, cssa) */
    movl %r12d, %r10d
    shll $LEVEL_SHIFT, %r10d
    decl %r12d
    movl %r12d, %gs:T_LEVEL
    jmp .Lscrub_and_leave

.Lrefuse:
    movq %gs:T_BLOCK, %r11
    testq %r11, %r11
    jz .Lleave
    movl $EXIT_ABORTED, (%r11)
.Lleave:
    movq %rcx, %rbx
    movl $4, %eax
    ENCLU_SLOT
    ud2
    .size enclave_entry, . - enclave_entry

/* First entries and traps: AC cleared, vector and x87 state as if newly started. Keeps all but RAX,
 * RDX, RCX. */
    .type clean_state, @function
clean_state:
    pushfq
    andq $~AC_FLAG, (%rsp)
    popfq
    movl enclave_xfrm_mask(%rip), %eax
    xorl %edx, %edx
    xrstor64 enclave_initial_state(%rip)
    ret
    .size clean_state, . - clean_state

/* Zeroes the vector registers the enclave may have used. */
.macro SCRUB_VECTORS
    testb $0xe0, enclave_xfrm_mask(%rip)
    jz 2f
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpxorq %xmm\n, %xmm\n, %xmm\n
    .endr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    kxorw %k\n, %k\n, %k\n
    .endr
2:
    testb $0x04, enclave_xfrm_mask(%rip)
    jz 3f
    vzeroall
    jmp 4f
3:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    pxor %xmm\n, %xmm\n
    .endr
4:
.endm

/* Leaves with everything but the way out wiped. %r10 = level << LEVEL_SHIFT. */
.macro LEAVE
    SCRUB_VECTORS
    movq %gs:T_LEVELS+L_HOST_RIP(%r10), %rbx
    movq %gs:T_LEVELS+L_HOST_RSP(%r10), %rsp
    movq %gs:T_LEVELS+L_HOST_RBP(%r10), %rbp
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
    movl $4, %eax
.endm

.macro KEEP_AND_LEAVE
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movl %gs:T_LEVEL, %r10d
    shll $LEVEL_SHIFT, %r10d
    movq %rsp, %gs:T_LEVELS+L_SAVED_RSP(%r10)
    LEAVE
.endm

    .text
/* void enclave_leave(void): out to the host, back when it enters with ENTRY_RETURN. */
    .globl enclave_leave
    .hidden enclave_leave
    .type enclave_leave, @function
    .balign 16
enclave_leave:
    KEEP_AND_LEAVE
    ENCLU_SLOT
    ud2
    .size enclave_leave, . - enclave_leave

/* The same through an ENCLU nobody was told of. */
    .globl enclave_leave_plain
    .hidden enclave_leave_plain
    .type enclave_leave_plain, @function
    .balign 16
enclave_leave_plain:
    KEEP_AND_LEAVE
    .byte 0x0f, 0x01, 0xd7
    ud2
    .size enclave_leave_plain, . - enclave_leave_plain

/* void enclave_leave_for_good(void): this TCS can be started again afterwards. */
    .globl enclave_leave_for_good
    .hidden enclave_leave_for_good
    .type enclave_leave_for_good, @function
enclave_leave_for_good:
    movl $0, %gs:T_STARTED
    xorl %r10d, %r10d
.Lscrub_and_leave:
    LEAVE
    ENCLU_SLOT
    ud2
    .size enclave_leave_for_good, . - enclave_leave_for_good

/* uint64_t enclave_enclu(uint32_t leaf, uint64_t rbx, uint64_t rcx, uint64_t rdx): RAX after it. */
    .globl enclave_enclu
    .hidden enclave_enclu
    .type enclave_enclu, @function
    .balign 16
enclave_enclu:
    pushq %rbx
    movl %edi, %eax
    movq %rsi, %rbx
    xchgq %rcx, %rdx
    ENCLU_SLOT
    popq %rbx
    ret
    .size enclave_enclu, . - enclave_enclu

/* Faults with every register holding a value of its own; the trap handler steps over the ud2 and
 * the values must be there afterwards. uint64_t enclave_registers_across_ud2(void): how many were
 * not. */
    .globl enclave_registers_across_ud2, enclave_probe_ud2
    .hidden enclave_registers_across_ud2, enclave_probe_ud2
    .type enclave_registers_across_ud2, @function
enclave_registers_across_ud2:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .set n, 1
    .irp reg, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    movq $0x1111111 * n, %\reg
    .set n, n + 1
    .endr
    .set n, 1
    .irp reg, xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
    movl $0x2222222 + n, %eax
    movd %eax, %\reg
    .set n, n + 1
    .endr
    stc
enclave_probe_ud2:
    ud2
    movl $0, %eax
    adcl $-1, %eax                  /* 0 when CF survived */
    .set n, 1
    .irp reg, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    cmpq $0x1111111 * n, %\reg
    je 1f
    incl %eax
1:
    .set n, n + 1
    .endr
    .set n, 1
    .irp reg, xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
    movd %\reg, %ecx
    cmpl $0x2222222 + n, %ecx
    je 1f
    incl %eax
1:
    .set n, n + 1
    .endr
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size enclave_registers_across_ud2, . - enclave_registers_across_ud2

/* void enclave_try(function, argument, uint64_t *ret_resume): see enclave.h. RSP is kept in the
 * first word of the control page. */
    .globl enclave_try
    .hidden enclave_try
    .type enclave_try, @function
enclave_try:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    leaq 1f(%rip), %rax
    movq %rax, (%rdx)
    movq %rsp, %gs:0
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
1:
    movq %gs:0, %rsp
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size enclave_try, . - enclave_try

    .data
    .globl enclave_xfrm_mask
    .hidden enclave_xfrm_mask
enclave_xfrm_mask:
    .long 3                         /* x87 and SSE until boot.c learned the rest */

    .section .rodata, "a", @progbits
    .balign 64
enclave_initial_state:
    .fill 24, 1, 0
    .long 0x1f80                    /* MXCSR */
    .fill 1024 - 28, 1, 0           /* header: nothing present, so all components initial */

    .section .note.GNU-stack, "", @progbits
