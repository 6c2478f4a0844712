/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * int loader_enter(vdso_sgx_enter_enclave_t enter, unsigned long rdi, unsigned long rsi,
 *                  unsigned long rdx, unsigned int function, struct sgx_enclave_run *run);
 *
 * Calls the entry function and puts back what an enclave may have changed and C expects kept: the
 * callee-saved registers, MXCSR, the x87 control word and the direction flag. The entry function
 * itself promises RSP and RBP only.
 *
 * All calls of one loop come from one place in C, so RSP and RBP are the same at EENTER and at a
 * later ERESUME: the enclave may leave through the values it saw when it was entered.
 */
    .text
    .globl loader_enter
    .hidden loader_enter
    .type loader_enter, @function
    .balign 16
loader_enter:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_offset %rbp, -16
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_offset %rbx, -24
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_offset %r12, -32
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_offset %r13, -40
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_offset %r14, -48
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_offset %r15, -56
    subq $16, %rsp
    .cfi_adjust_cfa_offset 16
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rdi, %rax
    movq %rsi, %rdi
    movq %rdx, %rsi
    movq %rcx, %rdx
    movl %r8d, %ecx
    pushq %r9                       /* seventh argument: run */
    .cfi_adjust_cfa_offset 8
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    call *%rax
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    cld
    /* An enclave that keeps to its side hands both words back as they were: look, and load only
     * when it did not. Loading them waits for everything before it. */
    stmxcsr 8(%rsp)
    fnstcw 12(%rsp)
    movl 8(%rsp), %ecx
    movzwl 12(%rsp), %edx
    cmpl (%rsp), %ecx
    jne .Lrestore_control
    cmpw 4(%rsp), %dx
    jne .Lrestore_control
.Lcontrol_restored:
    addq $16, %rsp
    .cfi_adjust_cfa_offset -16
    popq %r15
    .cfi_adjust_cfa_offset -8
    popq %r14
    .cfi_adjust_cfa_offset -8
    popq %r13
    .cfi_adjust_cfa_offset -8
    popq %r12
    .cfi_adjust_cfa_offset -8
    popq %rbx
    .cfi_adjust_cfa_offset -8
    popq %rbp
    .cfi_adjust_cfa_offset -8
    /* The return predictor followed the enclave's calls and returns; jumps have their own. */
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_restore %rip
    .cfi_adjust_cfa_offset 64 + 8
.Lrestore_control:
    fnclex
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    jmp .Lcontrol_restored
    .cfi_endproc
    .size loader_enter, . - loader_enter

/*
 * int64_t loader_syscall_point(const uint64_t *signals, long number, const uint64_t args[6]);
 *
 * A system call that may sleep. Returns -EINTR without making it when a signal is pending, and
 * there is no gap between the look and the sleep: a handler that finds RIP in [begin, end) moves it
 * to `cancel` (signals.c). A call the kernel restarts (SA_RESTART is not used) comes back as -EINTR
 * by itself.
 */
    .globl loader_syscall_point, loader_syscall_begin, loader_syscall_end, loader_syscall_cancel
    .hidden loader_syscall_point, loader_syscall_begin, loader_syscall_end, loader_syscall_cancel
    .type loader_syscall_point, @function
    .balign 16
loader_syscall_point:
    .cfi_startproc
    movq %rdi, %r11
    movq %rsi, %rax
    movq %rdx, %rcx
    movq (%rcx), %rdi
    movq 8(%rcx), %rsi
    movq 16(%rcx), %rdx
    movq 24(%rcx), %r10
    movq 32(%rcx), %r8
    movq 40(%rcx), %r9
loader_syscall_begin:
    cmpq $0, (%r11)
    jne loader_syscall_cancel
    syscall
loader_syscall_end:
    ret
loader_syscall_cancel:
    movq $-4, %rax                  /* -EINTR */
    ret
    .cfi_endproc
    .size loader_syscall_point, . - loader_syscall_point

    .section .note.GNU-stack, "", @progbits
