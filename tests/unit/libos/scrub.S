/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* scrub_between(before, after, init): loads `before`, scrubs as the exit path does, saves `after`. */

#include "libos/boot/scrub.h"

.text
    .globl scrub_between
    .type scrub_between, @function
scrub_between:
    endbr64
    movq %rdx, %r8
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 (%rdi)
    SCRUB_VECTORS (%r8), 24(%r8)
    movl $-1, %eax
    movl $-1, %edx
    xsave64 (%rsi)
    ret

.section .note.GNU-stack, "", @progbits
