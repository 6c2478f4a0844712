/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * size_t sealed_raw_copy(void *dst, const void *untrusted_src, size_t size): bytes not copied.
 * Whole aligned words (advice against stale data, INTEL-SA-00657); a fault, when the host cut the
 * file short, ends the copy (boot/trap.c walks .fixups).
 */
    .text
    .globl sealed_raw_copy
    .hidden sealed_raw_copy
    .type sealed_raw_copy, @function
sealed_raw_copy:
    movq %rdx, %rcx
    shrq $3, %rcx
.Lcopy:
    rep movsq
.Lcopy_out:
    movq %rcx, %rax
    shlq $3, %rax
    ret
    .size sealed_raw_copy, . - sealed_raw_copy

    .pushsection .fixups, "a", @progbits
    .p2align 2
.Lfixup:
    .long .Lcopy - .Lfixup
    .long .Lcopy_out - .Lfixup
    .popsection

    .section .note.GNU-stack, "", @progbits
