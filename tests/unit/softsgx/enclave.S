/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The enclave the tests build: one page-aligned piece of position-independent code that does what
 * RDI says. Thread page (GS): 64 bytes for each CSSA: return address, outside RSP and RBP.
 */

#include "layout.h"

#define SAVE_RET 0
#define SAVE_RSP 8
#define SAVE_RBP 16

    .macro RAW_ENCLU
    .byte   0x0f, 0x01, 0xd7
    .endm
    .macro SLOT_ENCLU name
    .globl  \name
\name:
    .byte   0x0f, 0x01, 0xd7, 0x66, 0x90
    .endm

    .section .rodata.test_enclave, "a", @progbits
    .globl  test_enclave_start, test_enclave_end, test_enclave_ops
    .balign 4096
test_enclave_start:
entry:
    mov     %rax, %r10
    shl     $6, %rax
    mov     %rcx, %gs:SAVE_RET(%rax)
    mov     %rsp, %gs:SAVE_RSP(%rax)
    mov     %rbp, %gs:SAVE_RBP(%rax)
    rdgsbase %r11
    mov     %r10, %rcx
    shl     $12, %rcx
    lea     0x4000(%r11), %rsp
    sub     %rcx, %rsp
    push    %r10
    push    %r10
    cmp     $26, %rdi
    ja      .Lunknown
    lea     table(%rip), %rcx
    movslq  (%rcx, %rdi, 4), %rax
    add     %rcx, %rax
    xor     %ecx, %ecx
    call    *%rax
/* EEXIT through a slot. */
leave_slot:
    pop     %rax
    shl     $6, %rax
    mov     %gs:SAVE_RET(%rax), %rbx
    mov     %gs:SAVE_RBP(%rax), %rbp
    mov     %gs:SAVE_RSP(%rax), %r10
    /* The stack switch comes after the slot's call in real code; here EEXIT takes RSP along, so the
     * outside stack needs the 8 bytes below. */
    mov     %r10, %rsp
    xor     %r10, %r10
    xor     %r11, %r11
    mov     $4, %eax
    SLOT_ENCLU test_slot_exit
    ud2
leave_raw:
    mov     16(%rsp), %rax
    shl     $6, %rax
    mov     %gs:SAVE_RET(%rax), %rbx
    mov     %gs:SAVE_RBP(%rax), %rbp
    mov     %gs:SAVE_RSP(%rax), %rsp
    mov     $4, %eax
    RAW_ENCLU
    ud2
.Lunknown:
    mov     $-1, %rsi
    jmp     leave_slot

op_nop:
    mov     %r10, %rsi
    mov     %rbx, %rdx
    ret
op_nop_trap:
    mov     %r10, %rsi
    mov     %rbx, %rdx
    jmp     leave_raw

/* struct enclu_args { u64 rax, rbx, rcx, rdx, rflags; } */
    .macro ENCLU_OP insn:vararg
    push    %rbp
    mov     %rsi, %rbp
    mov     0(%rbp), %rax
    mov     8(%rbp), %rbx
    mov     16(%rbp), %rcx
    mov     24(%rbp), %rdx
    \insn
    mov     %rax, 0(%rbp)
    mov     %rbx, 8(%rbp)
    mov     %rcx, 16(%rbp)
    mov     %rdx, 24(%rbp)
    pushfq
    popq    32(%rbp)
    pop     %rbp
    ret
    .endm
op_enclu:
    ENCLU_OP RAW_ENCLU
op_slot:
    ENCLU_OP SLOT_ENCLU test_slot_any

op_read:
    mov     (%rsi), %rdx
    ret
op_write:
    mov     %rdx, (%rsi)
    ret
op_call:
    call    *%rsi
    ret
op_bases:
    rdfsbase %rsi
    rdgsbase %rdx
    ret
    .globl  test_ud2, test_int3, test_div, test_syscall, test_int80, test_intn, test_sysenter
op_ud2:
    mov     $0x1111, %rsi
test_ud2:
    ud2
    ret
op_int3:
test_int3:
    int3
    ret
op_div0:
    xor     %edx, %edx
    mov     $1, %eax
    xor     %ecx, %ecx
test_div:
    div     %ecx
    ret
op_syscall:
    mov     $39, %eax
test_syscall:
    syscall
    mov     %rax, %rsi
    ret
op_int80:
    mov     $20, %eax
test_int80:
    int     $0x80
    ret
op_intn:
test_intn:
    int     $0x2e
    ret
op_sysenter:
    mov     $39, %eax
test_sysenter:
    sysenter
    ret
op_setfs:
    wrfsbase %rsi
    ud2
    rdfsbase %rsi
    ret
op_exitto:
    pop     %rax
    pop     %rax
    mov     %rsi, %rbx
    mov     $4, %eax
    RAW_ENCLU
    ud2

/* A non-canonical address: #GP. */
    .globl  test_gp
op_gp:
    movabs  $0x8000000000000000, %rcx
test_gp:
    mov     (%rcx), %rax
    ret

/* RSI -> u64[8 * 32 + 8] : zmm0-31 and k0-7; RDX -> u32. As op_spin. */
op_spin512:
    push    %rbx
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 (\i * 64)(%rsi), %zmm\i
    .endr
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   (2048 + \i * 8)(%rsi), %k\i
    .endr
1:
    pause
    cmpl    $0, (%rdx)
    je      1b
    sub     $64, %rsp
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vmovdqu64 %zmm\i, (%rsp)
    .irp    w, 0, 8, 16, 24, 32, 40, 48, 56
    mov     (\i * 64 + \w)(%rsi), %rax
    cmp     \w(%rsp), %rax
    jne     2f
    .endr
    .endr
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7
    kmovq   %k\i, %rax
    cmp     (2048 + \i * 8)(%rsi), %rax
    jne     2f
    .endr
    xor     %esi, %esi
    jmp     3f
2:
    mov     $1, %esi
3:
    add     $64, %rsp
    vzeroall
    pop     %rbx
    ret

/* XMM0 = RSI, MXCSR and FCW changed; then ud2: what is in the SSA frame? */
op_state:
    sub     $8, %rsp
    vzeroall
    movq    %rsi, %xmm0
    movl    $0x3f80, (%rsp)
    ldmxcsr (%rsp)
    movw    $0x027f, (%rsp)
    fldcw   (%rsp)
    ud2
    movl    $0x1f80, (%rsp)
    ldmxcsr (%rsp)
    fninit
    movq    %xmm0, %rsi
    add     $8, %rsp
    ret

op_accept_touch:
    push    %rdx
    call    op_accept
    pop     %rdx
    mov     %rdx, (%rdx)
    ret

op_loop:
    push    %rbp
    push    %r12
    mov     %rsi, %rbp
    mov     %rdx, %r12
1:
    mov     0(%rbp), %rax
    mov     8(%rbp), %rbx
    mov     16(%rbp), %rcx
    mov     24(%rbp), %rdx
    SLOT_ENCLU test_slot_loop
    dec     %r12
    jnz     1b
    mov     %rax, %rsi
    pop     %r12
    pop     %rbp
    ret

op_exitto_slot:
    pop     %rax
    pop     %rax
    mov     %rsi, %rbx
    mov     $4, %eax
    SLOT_ENCLU test_slot_exitto
    ud2

/* Moves the interrupted thread on: SSA frames of one page, GPRSGX at its end, RIP at offset 136. */
op_skip:
    mov     %r10, %rax
    dec     %rax
    shl     $12, %rax
    rdgsbase %rcx
    sub     $(THR_GS - THR_SSA), %rcx
    add     %rax, %rcx
    add     %rsi, (4096 - 184 + 136)(%rcx)
    ret

/* struct accept_args { u64 first, count, secinfo_addr, flags, error; } */
op_accept:
    push    %rbp
    mov     %rsi, %rbp
    mov     0(%rbp), %rcx
    mov     8(%rbp), %rsi
    mov     16(%rbp), %rbx
    mov     24(%rbp), %rax
    mov     %rax, (%rbx)
    xor     %eax, %eax
    .irp    i, 1, 2, 3, 4, 5, 6, 7
    mov     %rax, (\i * 8)(%rbx)
    .endr
1:
    test    %rsi, %rsi
    jz      2f
    mov     $5, %eax
    SLOT_ENCLU test_slot_accept
    test    %eax, %eax
    jnz     2f
    add     $4096, %rcx
    dec     %rsi
    jmp     1b
2:
    mov     %rax, 32(%rbp)
    mov     %rsi, 8(%rbp)
    pop     %rbp
    ret

/*
 * Fills every register from 16 + 16 words and the vectors from there on, then spins until told, and
 * checks that nothing changed. RSI -> struct spin_args { u64 gpr[16]; u64 ymm[16][4]; },
 * RDX -> u32. Result: RSI = 0 when all is as it was, else a number that names the register.
 */
op_spin:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    push    %rsi
    push    %rdx
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu (128 + \i * 32)(%rsi), %ymm\i
    .endr
    mov     0x00(%rsi), %rax
    mov     0x08(%rsi), %rbx
    mov     0x10(%rsi), %rcx
    mov     0x18(%rsi), %rbp
    mov     0x20(%rsi), %rdi
    mov     0x28(%rsi), %r8
    mov     0x30(%rsi), %r9
    mov     0x38(%rsi), %r10
    mov     0x40(%rsi), %r11
    mov     0x48(%rsi), %r12
    mov     0x50(%rsi), %r13
    mov     0x58(%rsi), %r14
    mov     0x60(%rsi), %r15
1:
    pause
    cmpl    $0, (%rdx)
    je      1b
    cmp     8(%rsp), %rsi
    jne     .Lspin_bad
    .set    n, 0
    .irp    r, rax, rbx, rcx, rbp, rdi, r8, r9, r10, r11, r12, r13, r14, r15
    cmp     n(%rsi), %\r
    jne     .Lspin_bad
    .set    n, n + 8
    .endr
    sub     $32, %rsp
    .set    n, 0
    .irp    i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovdqu %ymm\i, (%rsp)
    .irp    w, 0, 8, 16, 24
    mov     (128 + \i * 32 + \w)(%rsi), %rax
    cmp     \w(%rsp), %rax
    jne     .Lspin_vec
    .endr
    .endr
    add     $32, %rsp
    vzeroupper
    xor     %eax, %eax
.Lspin_out:
    pop     %rdx
    pop     %rsi
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    mov     %rax, %rsi
    ret
.Lspin_vec:
    add     $32, %rsp
    mov     $2, %eax
    jmp     .Lspin_out
.Lspin_bad:
    mov     $1, %eax
    jmp     .Lspin_out

/* RSI times: ud2 (the outside skips it through a nested entry), then every register is compared. */
op_faultloop:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsi, %r15
    mov     $0x1234567890abcdef, %r14
1:
    test    %r15, %r15
    jz      2f
    lea     1(%r14), %rax
    lea     2(%r14), %rbx
    lea     3(%r14), %rcx
    lea     4(%r14), %rdx
    lea     5(%r14), %rsi
    lea     6(%r14), %rdi
    lea     7(%r14), %rbp
    lea     8(%r14), %r8
    lea     9(%r14), %r9
    lea     10(%r14), %r10
    lea     11(%r14), %r11
    lea     12(%r14), %r12
    lea     13(%r14), %r13
    movq    %rax, %xmm5
    ud2
    .set    n, 1
    .irp    r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13
    sub     $n, %\r
    cmp     %r14, %\r
    jne     3f
    .set    n, n + 1
    .endr
    movq    %xmm5, %rax
    dec     %rax
    cmp     %r14, %rax
    jne     3f
    dec     %r15
    rol     $7, %r14
    jmp     1b
2:
    xor     %esi, %esi
    jmp     4f
3:
    mov     $1, %esi
4:
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

    .balign 4
table:
    .long op_nop - table, op_enclu - table, op_slot - table, op_read - table
    .long op_write - table, op_call - table, op_bases - table, op_ud2 - table
    .long op_int3 - table, op_div0 - table, op_syscall - table, op_spin - table
    .long op_accept - table, op_skip - table, op_int80 - table, op_faultloop - table
    .long op_nop_trap - table, op_setfs - table, op_intn - table, op_sysenter - table
    .long op_exitto - table, op_gp - table, op_spin512 - table, op_state - table
    .long op_exitto_slot - table, op_loop - table, op_accept_touch - table
    .balign 4096
test_enclave_end:
    .section .note.GNU-stack, "", @progbits
