/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Crossing the border: EENTER, ERESUME, EEXIT, the AEP, leaves called through slots, and the entry
 * of every signal handler.
 *
 * An ENCLU is one instruction: a signal finds it done or not begun. Here it is a sequence, so the
 * labels below cut it into "not begun" (signal.c rolls back to the ENCLU) and "done" (it rolls
 * forward). Between the labels only registers are used that can be recomputed.
 *
 * GS base is left as the enclave had it: glibc on x86-64 does not use GS, softsgx owns it on every
 * attached thread, and EENTER writes it only when it differs.
 */

#include "softsgx/asm_offsets.h"

#define EENTER_LEAF  2
#define ERESUME_LEAF 3
#define EEXIT_LEAF   4
#define EINVAL_      22

    .text
    .globl  soft_ucode_start, soft_ucode_end
    .hidden soft_ucode_start, soft_ucode_end
    .p2align 6
soft_ucode_start:

/*
 * int soft_enter(rdi, rsi, rdx, ecx: leaf, r8, r9, 16(%rbp): struct sgx_enclave_run *)
 * The contract of vdso_sgx_enter_enclave_t, and r12-r15 survive as well.
 */
    .globl  soft_enter
    .hidden soft_enter
    .type   soft_enter, @function
    .p2align 5
soft_enter:
    push    %rbp
    mov     %rsp, %rbp
    push    %rbx
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %ecx, %eax
.Lenter_again:
    lea     -EENTER_LEAF(%rax), %ecx
    cmp     $1, %ecx
    ja      .Linvalid
    mov     16(%rbp), %rcx
    test    %rcx, %rcx
    jz      .Linvalid
    /* The reserved bytes of the run structure must be zero. */
    mov     RUN_RESERVED(%rcx), %rbx
    mov     RUN_RESERVED + 8(%rcx), %r10
    mov     RUN_RESERVED + 16(%rcx), %r11
    .set    off, RUN_RESERVED + 24
    .rept   (RUN_END - RUN_RESERVED) / 24 - 1
    or      off(%rcx), %rbx
    or      off + 8(%rcx), %r10
    or      off + 16(%rcx), %r11
    .set    off, off + 24
    .endr
    or      %r10, %rbx
    or      %r11, %rbx
    jnz     .Linvalid
    mov     RUN_TCS(%rcx), %rbx
    lea     soft_aep(%rip), %rcx

/* ENCLU with EAX = EENTER or ERESUME, RBX = TCS, RCX = AEP: serves both, and is the AEP itself. */
    .globl  soft_aep
    .hidden soft_aep
soft_aep:
    cmp     $ERESUME_LEAF, %eax
    je      .Leresume
.Leenter:
    mov     soft_self@gottpoff(%rip), %rax
    mov     %fs:(%rax), %rcx
    test    %rcx, %rcx
    jz      .Lunattached
    cmp     %rbx, TH_LAST_LINEAR(%rcx)
    jne     .Leenter_check
    mov     soft_epoch(%rip), %rax
    cmp     TH_LAST_EPOCH(%rcx), %rax
    jne     .Leenter_check
    mov     TH_LAST_TCS(%rcx), %rbx
    xor     %eax, %eax
    lock cmpxchg %rcx, TCS_OWNER(%rbx)
    jne     .Leenter_busy
    /* The thread owns the TCS: until the jump below, a signal undoes that and starts over. */
    mov     soft_epoch(%rip), %rax
    cmp     TH_LAST_EPOCH(%rcx), %rax
    jne     .Leenter_stale
    mov     TCS_CSSA(%rbx), %eax
    cmp     TH_LAST_CSSA(%rcx), %eax
    jne     .Leenter_stale
    mov     %rbx, TH_CUR(%rcx)
    mov     TH_LAST_GPR(%rcx), %rax
    mov     %rsp, GPR_URSP(%rax)
    mov     %rbp, GPR_URBP(%rax)
    mov     TCS_ENTRY(%rbx), %rax
    mov     %rax, -8(%rsp)
    rdgsbase %rax
    cmp     TCS_GS(%rbx), %rax
    jne     .Leenter_gs
.Leenter_fs:
    mov     TCS_FS(%rbx), %rax
    wrfsbase %rax
    mov     TCS_CSSA(%rbx), %eax
    mov     TCS_LINEAR(%rbx), %rbx
    lea     soft_after_enclu(%rip), %rcx
    jmp     *-8(%rsp)
.Leenter_gs:
    mov     TCS_GS(%rbx), %rax
    wrgsbase %rax
    jmp     .Leenter_fs
.Leenter_stale:
    movq    $0, TCS_OWNER(%rbx)
.Leenter_busy:
    mov     TCS_LINEAR(%rbx), %rbx
/* The slow half: RBX = TCS address, RCX = thread. Everything but RAX, RBX, RCX is the enclave's. */
.Leenter_check:
    push    %rdi
    push    %rsi
    push    %rdx
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %rbx
    push    %rbp
    mov     %rsp, %rbp
    and     $-16, %rsp
    mov     %rcx, %rdi
    mov     %rbx, %rsi
    cld
    call    soft_eenter_check
    mov     %rbp, %rsp
    pop     %rbp
    pop     %rbx
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
    test    %eax, %eax
    jz      .Leenter
    mov     soft_self@gottpoff(%rip), %rax
    mov     %fs:(%rax), %rcx
    mov     $EENTER_LEAF, %eax
    jmp     .Lrefused

soft_eresume:
.Leresume:
    mov     soft_self@gottpoff(%rip), %rax
    mov     %fs:(%rax), %rcx
    test    %rcx, %rcx
    jz      .Lunattached
    push    %rbx
    push    %rbp
    lea     16(%rsp), %rdx
    mov     %rbp, %rax
    mov     %rsp, %rbp
    and     $-16, %rsp
    mov     %rcx, %rdi
    mov     %rbx, %rsi
    mov     %rax, %rcx
    cld
    call    soft_eresume_check
    mov     %rbp, %rsp
    pop     %rbp
    pop     %rbx
    mov     soft_self@gottpoff(%rip), %rdx
    mov     %fs:(%rdx), %rcx
    test    %eax, %eax
    jnz     .Leresume_refused
    mov     TH_LAST_TCS(%rcx), %rbx
    xor     %eax, %eax
    lock cmpxchg %rcx, TCS_OWNER(%rbx)
    .globl  soft_eresume, soft_resume_counted, soft_resume_end
    .hidden soft_eresume, soft_resume_counted, soft_resume_end
    jne     .Leresume_retry
    mov     soft_epoch(%rip), %rax
    cmp     TH_LAST_EPOCH(%rcx), %rax
    jne     .Leresume_stale
    mov     TCS_CSSA(%rbx), %eax
    sub     $1, %eax
    cmp     TH_LAST_CSSA(%rcx), %eax
    jne     .Leresume_stale
    mov     %rbx, TH_CUR(%rcx)
    mov     %eax, TCS_CSSA(%rbx)
soft_resume_counted:
    mov     TH_RESUME_XFRM(%rcx), %rax
    mov     %rax, %rdx
    shr     $32, %rdx
    mov     TH_RESUME_XSTATE(%rcx), %rsi
    xrstor64 (%rsi)
    mov     TH_RESUME_GS(%rcx), %rax
    wrgsbase %rax
    mov     TH_RESUME_FS(%rcx), %rax
    wrfsbase %rax
    lea     TH_IRET(%rcx), %rsp
    mov     R_RAX(%rcx), %rax
    mov     R_RDX(%rcx), %rdx
    mov     R_RBX(%rcx), %rbx
    mov     R_RBP(%rcx), %rbp
    mov     R_RSI(%rcx), %rsi
    mov     R_RDI(%rcx), %rdi
    mov     R_R8(%rcx), %r8
    mov     R_R9(%rcx), %r9
    mov     R_R10(%rcx), %r10
    mov     R_R11(%rcx), %r11
    mov     R_R12(%rcx), %r12
    mov     R_R13(%rcx), %r13
    mov     R_R14(%rcx), %r14
    mov     R_R15(%rcx), %r15
    mov     R_RCX(%rcx), %rcx
    iretq
soft_resume_end:
.Leresume_stale:
    movq    $0, TCS_OWNER(%rbx)
.Leresume_retry:
    mov     TCS_LINEAR(%rbx), %rbx
    jmp     .Leresume
.Leresume_refused:
    mov     $ERESUME_LEAF, %eax
    jmp     .Lrefused

/* A refused ENCLU: EAX = leaf, RCX = thread. */
.Lrefused:
    mov     TH_VECTOR(%rcx), %rdi
    mov     TH_ERROR_CODE(%rcx), %rsi
    mov     TH_FAULT_ADDR(%rcx), %rdx
/* An exception on or inside the enclave: EAX = leaf, RDI = vector, RSI = error code, RDX = address.
 * signal.c sends faulting threads here, with RSP and RBP as the enclave was entered. */
    .globl  soft_exception
    .hidden soft_exception
soft_exception:
    mov     16(%rbp), %rbx
    mov     %eax, RUN_FUNCTION(%rbx)
    mov     %di, RUN_VECTOR(%rbx)
    mov     %si, RUN_ERROR(%rbx)
    mov     %rdx, RUN_ADDR(%rbx)
    jmp     .Lexit

/* Where the enclave exits to: the instruction after the ENCLU. */
    .globl  soft_after_enclu
    .hidden soft_after_enclu
    .p2align 4
soft_after_enclu:
    mov     16(%rbp), %rbx
    movl    $EEXIT_LEAF, RUN_FUNCTION(%rbx)
.Lexit:
    cld
    cmpq    $0, RUN_HANDLER(%rbx)
    jne     .Lhandler
    xor     %eax, %eax
.Lout:
    mov     -8(%rbp), %rbx
    mov     -16(%rbp), %r12
    mov     -24(%rbp), %r13
    mov     -32(%rbp), %r14
    mov     -40(%rbp), %r15
    leave
    /* The enclave called and returned in between, as often as it liked: the return predictor knows
     * nothing of this caller any more, the predictor of jumps does. */
    pop     %rcx
    jmp     *%rcx
.Lhandler:
    /* handler(rdi, rsi, rdx, rsp, r8, r9, run); RSP may have moved: the enclave may have pushed
     * data. The next entry sees it where it is now. */
    mov     %rsp, %rcx
    mov     %rsp, %r12
    mov     %rbx, %rax
    and     $-16, %rsp
    push    %rax
    push    %rax
    call    *RUN_HANDLER(%rbx)
    mov     %r12, %rsp
    test    %eax, %eax
    jle     .Lout
    jmp     .Lenter_again
.Lunattached:
    mov     $-3, %eax /* -ESRCH: this thread was never attached */
    jmp     .Lout
.Linvalid:
    mov     $-EINVAL_, %eax
    jmp     .Lout
    .size   soft_enter, . - soft_enter

/*
 * A leaf other than EEXIT, from a slot. RAX = thread, R_RAX and R_RCX stored, everything else is
 * the enclave's, (%rsp) = the address behind the slot. Two doors: microcode leaves (EACCEPT and
 * kin) run on the enclave's FS base and touch no vector register; the others get the host's FS base
 * and XSAVE around them.
 */
    .macro  LEAF_SAVE
    mov     %rdx, R_RDX(%rax)
    mov     %rbx, R_RBX(%rax)
    mov     %rbp, R_RBP(%rax)
    mov     %rsi, R_RSI(%rax)
    mov     %rdi, R_RDI(%rax)
    mov     %r8, R_R8(%rax)
    mov     %r9, R_R9(%rax)
    mov     %r10, R_R10(%rax)
    mov     %r11, R_R11(%rax)
    mov     %r12, R_R12(%rax)
    mov     %r13, R_R13(%rax)
    mov     %r14, R_R14(%rax)
    mov     %r15, R_R15(%rax)
    mov     (%rsp), %rcx
    mov     %rcx, R_RIP(%rax)
    lea     8(%rsp), %rcx
    mov     %rcx, R_RSP(%rax)
    rdfsbase %rcx
    mov     %rcx, TH_LEAF_FS(%rax)
    movl    $LEAF_RUN, TH_LEAF(%rax)
    .endm

    .globl  soft_leaf_enter, soft_leaf_xenter
    .hidden soft_leaf_enter, soft_leaf_xenter
    .globl  soft_leaf_saved, soft_leaf_xsaved, soft_leaf_trap
    .hidden soft_leaf_saved, soft_leaf_xsaved, soft_leaf_trap
    .p2align 5
soft_leaf_enter:
    LEAF_SAVE
soft_leaf_saved:
    mov     %rax, %rbx
    lea     SOFT_USTACK_TOP(%rbx), %rsp
    pushfq
    popq    R_RFLAGS(%rbx)
    cld
    mov     %rbx, %rdi
    call    soft_leaf_call
    test    %eax, %eax
    jnz     .Lleaf_fault
.Lleaf_done:
    movl    $LEAF_DONE, TH_LEAF(%rbx)
    cmpl    $0, TH_DEFERRED(%rbx)
    jne     .Lleaf_deferred
.Lleaf_return:
    pushq   R_RFLAGS(%rbx)
    popfq
    mov     R_RSP(%rbx), %rsp
    mov     R_RIP(%rbx), %rax
    lea     -8(%rsp), %rsp
    mov     %rax, (%rsp)
    mov     R_RAX(%rbx), %rax
    mov     R_RCX(%rbx), %rcx
    mov     R_RDX(%rbx), %rdx
    mov     R_RBP(%rbx), %rbp
    mov     R_RSI(%rbx), %rsi
    mov     R_RDI(%rbx), %rdi
    mov     R_R8(%rbx), %r8
    mov     R_R9(%rbx), %r9
    mov     R_R10(%rbx), %r10
    mov     R_R11(%rbx), %r11
    mov     R_R12(%rbx), %r12
    mov     R_R13(%rbx), %r13
    mov     R_R14(%rbx), %r14
    mov     R_R15(%rbx), %r15
    mov     R_RBX(%rbx), %rbx
    ret
.Lleaf_deferred:
    mov     %rbx, %rdi
    call    soft_leaf_deferred
    jmp     .Lleaf_return
.Lleaf_fault:
/* The registers are still those of the ENCLU: let the trap path raise what it raises. */
soft_leaf_trap:
    ud2

/* What is fetched from ELRANGE by a processor that is not in enclave mode. */
    .globl  soft_abort_page
    .hidden soft_abort_page
soft_abort_page:
    ud2

    .p2align 5
soft_leaf_xenter:
    LEAF_SAVE
soft_leaf_xsaved:
    mov     %rax, %rbx
    lea     SOFT_USTACK_TOP(%rbx), %rsp
    pushfq
    popq    R_RFLAGS(%rbx)
    cld
    mov     TH_XSAVE_MASK(%rbx), %rax
    xor     %edx, %edx
    xsave64 TH_XSAVE(%rbx)
    mov     TH_HOST_FS(%rbx), %rax
    wrfsbase %rax
    mov     %rbx, %rdi
    call    soft_leaf_call
    mov     %eax, %r12d
    mov     TH_LEAF_FS(%rbx), %rax
    wrfsbase %rax
    mov     TH_XSAVE_MASK(%rbx), %rax
    xor     %edx, %edx
    xrstor64 TH_XSAVE(%rbx)
    test    %r12d, %r12d
    jnz     .Lleaf_fault
    jmp     .Lleaf_done

soft_ucode_end:

/*
 * Every signal handler. Finds the thread from RSP (all signal stacks lie in one arena, each in a
 * slot of SOFT_SLOT_SIZE), gives C its FS base back, lets soft_on_signal() decide. It returns where
 * the frame to return from is: its own, or a copy on the host stack with the loader's handler
 * still to be called.
 */
    .globl  soft_signal_entry
    .hidden soft_signal_entry
    .type   soft_signal_entry, @function
    .p2align 5
soft_signal_entry:
    /* After delivery: rdi, rsi, rdx = arguments, (%rsp) = restorer. Other registers are free. */
    cld
    mov     %rsp, %rbp
    mov     %rsp, %rax
    sub     soft_arena_start(%rip), %rax
    cmp     soft_arena_size(%rip), %rax
    jae     .Lforeign_thread
    mov     %rsp, %rcx
    and     $-SOFT_SLOT_SIZE, %rcx
    rdfsbase %r8
    mov     TH_HOST_FS(%rcx), %rax
    cmp     %rax, %r8
    je      1f
    wrfsbase %rax
1:
    sub     $0x48, %rsp
    and     $-16, %rsp
    mov     %rsp, %r9
    mov     %rdx, %rbx
    call    soft_on_signal
    /* 0(%rsp): FS base to return with. 8: frame to return from, 0 for this one. 16..: handler,
     * sig, info, uc. */
    cmpq    $0, 8(%rsp)
    jne     .Lrelocated
    mov     0(%rsp), %rax
    rdfsbase %rcx
    cmp     %rax, %rcx
    je      2f
    wrfsbase %rax
2:
    mov     %rbp, %rsp
    ret
.Lrelocated:
    mov     16(%rsp), %rax
    mov     24(%rsp), %rdi
    mov     32(%rsp), %rsi
    mov     40(%rsp), %rdx
    mov     8(%rsp), %rsp /* leaves the signal stack for good */
    push    %rax
    push    %rdi
    push    %rsi
    push    %rdx
    call    soft_unmask_for_handler
    pop     %rdx
    pop     %rsi
    pop     %rdi
    pop     %rax
    mov     %rsp, %rbp
    and     $-16, %rsp
    call    *%rax
    mov     %rbp, %rsp
    mov     $15, %eax /* rt_sigreturn: RSP points behind the restorer slot of the frame copy */
    syscall
    ud2
.Lforeign_thread:
    sub     $8, %rsp
    and     $-16, %rsp
    call    soft_on_foreign_signal
    mov     %rbp, %rsp
    ret
    .size   soft_signal_entry, . - soft_signal_entry

/*
 * The trampoline area above each ELRANGE: the common code once, then one stub for each rewritten
 * slot, which knows where its slot is. EEXIT, the leaf that counts, is done in the stub. The slot
 * jumps (a call that never returns would upset the processor's return predictor).
 *
 * RAX is the only register the common code may use, RAX and RCX those EEXIT may.
 */
    .section .rodata
    .globl  soft_stub_template, soft_stub_eexit, soft_stub_commit, soft_stub_exit_end
    .hidden soft_stub_template, soft_stub_eexit, soft_stub_commit, soft_stub_exit_end
    .globl  soft_stub_enclu, soft_stub_other, soft_stub_back, soft_stub_literals
    .hidden soft_stub_enclu, soft_stub_other, soft_stub_back, soft_stub_literals
    .p2align 6
soft_stub_template:
    cmp     $EEXIT_LEAF, %eax
    jne     .Lother
soft_stub_eexit:
    rdgsbase %rcx
    sub     .Llit + LIT_BASE(%rip), %rcx
    cmp     .Llit + LIT_SIZE(%rip), %rcx
    jae     .Lbad_exit
    shr     $12, %rcx
    mov     .Llit + LIT_GS_TABLE(%rip), %rax
    mov     (%rax, %rcx, 8), %rax
    test    %rax, %rax
    jz      .Lbad_exit
    mov     TCS_OWNER(%rax), %rcx
    test    %rcx, %rcx
    jz      .Lbad_exit
    cmpl    $0, TH_FLUSH(%rcx)
    jne     .Lflush
    mov     %rbx, %rax
    sub     .Llit + LIT_BASE(%rip), %rax
    cmp     .Llit + LIT_SIZE(%rip), %rax
    jb      .Lbad_exit
    mov     TH_CUR(%rcx), %rax
    movl    $LEAF_NONE, TH_LEAF(%rcx)
soft_stub_commit:
    movq    $0, TCS_OWNER(%rax) /* from here on the thread is outside */
    mov     TH_HOST_FS(%rcx), %rcx
    wrfsbase %rcx
    mov     .Llit + LIT_AEP(%rip), %rcx
    mov     $EEXIT_LEAF, %eax
    jmp     *%rbx
soft_stub_exit_end:
.Lbad_exit:
    mov     $EEXIT_LEAF, %eax
soft_stub_enclu:
    .byte   0x0f, 0x01, 0xd7 /* the trap path takes over, as if at the slot */
.Lflush:
    mov     $EEXIT_LEAF, %eax
soft_stub_other:
.Lother:
    call    *.Llit + LIT_COMMON(%rip)
soft_stub_back:
    jmp     *.Llit + LIT_NEXT(%rip)
    .p2align 3
soft_stub_literals:
.Llit:
    .zero   LIT_END
    .p2align 6
    .globl  soft_stub_template_end
    .hidden soft_stub_template_end
soft_stub_template_end:

    .globl  soft_common_template, soft_common_template_end, soft_common_enclu
    .hidden soft_common_template, soft_common_template_end, soft_common_enclu
    .globl  soft_common_leaf0, soft_common_leaf1, soft_common_leaf4, soft_common_leaf5
    .hidden soft_common_leaf0, soft_common_leaf1, soft_common_leaf4, soft_common_leaf5
    .globl  soft_common_leaf6, soft_common_leaf7, soft_common_literals
    .hidden soft_common_leaf6, soft_common_leaf7, soft_common_literals
soft_common_template:
    cmp     $5, %eax
    je      .Lleaf5
    cmp     $6, %eax
    je      .Lleaf6
    cmp     $7, %eax
    je      .Lleaf7
    cmp     $1, %eax
    je      .Lleaf1
    cmp     $4, %eax
    je      .Lleaf4
    test    %eax, %eax
    je      .Lleaf0
soft_common_enclu:
    .byte   0x0f, 0x01, 0xd7
    /* One door a leaf: RAX becomes scratch, the door remembers. */
    .macro  LEAF number, call
    .p2align 4
.Lleaf\number:
    rdgsbase %rax
    sub     .Lclit + LIT_BASE(%rip), %rax
    cmp     .Lclit + LIT_SIZE(%rip), %rax
    jae     .Lbad\number
    shr     $12, %rax
    shl     $3, %rax
    add     .Lclit + LIT_GS_TABLE(%rip), %rax
    mov     (%rax), %rax
    test    %rax, %rax
    jz      .Lbad\number
    mov     TCS_OWNER(%rax), %rax
    test    %rax, %rax
    jz      .Lbad\number
    mov     %rcx, R_RCX(%rax)
    movq    $\number, R_RAX(%rax)
    jmp     *.Lclit + \call(%rip)
.Lbad\number:
    mov     $\number, %eax
    jmp     soft_common_enclu
    .endm
    .p2align 4
soft_common_leaf0:
    LEAF    0, LIT_LEAF_XCALL
    .p2align 4
soft_common_leaf1:
    LEAF    1, LIT_LEAF_XCALL
    .p2align 4
soft_common_leaf4:
    LEAF    4, LIT_LEAF_CALL
    .p2align 4
soft_common_leaf5:
    LEAF    5, LIT_LEAF_CALL
    .p2align 4
soft_common_leaf6:
    LEAF    6, LIT_LEAF_CALL
    .p2align 4
soft_common_leaf7:
    LEAF    7, LIT_LEAF_CALL
    .p2align 3
soft_common_literals:
.Lclit:
    .zero   LIT_END
    .p2align 6
soft_common_template_end:

    .section .note.GNU-stack, "", @progbits
