/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* For the assembler. */

/*
 * Puts every vector register, mask register and MXCSR into the initial state, so that the host
 * finds nothing of ours in them. `init` is an XSAVE area whose XSTATE_BV is zero, `mxcsr` the MXCSR in
 * it. Clobbers EAX, ECX, EDX.
 *
 * XRSTOR of everything is microcode of some 250 cycles. XGETBV with ECX = 1 (XINUSE, SDM volume 1,
 * 13.6) tells which components may differ from their initial state: it may name too many, never too
 * few. When they are SSE, AVX and AVX-512 alone, plain instructions do; anything else (x87, tiles,
 * PKRU, what comes after) goes the long way. XMM registers are cleared whatever XINUSE says of them.
 */
.macro SCRUB_VECTORS init, mxcsr
    movl $1, %ecx
    xgetbv
    testl %edx, %edx
    jnz .Lscrub_all_\@
    testl $~0xe6, %eax
    jnz .Lscrub_all_\@
    testl $0x4, %eax
    jnz .Lscrub_avx_\@
    xorps %xmm0, %xmm0
    xorps %xmm1, %xmm1
    xorps %xmm2, %xmm2
    xorps %xmm3, %xmm3
    xorps %xmm4, %xmm4
    xorps %xmm5, %xmm5
    xorps %xmm6, %xmm6
    xorps %xmm7, %xmm7
    xorps %xmm8, %xmm8
    xorps %xmm9, %xmm9
    xorps %xmm10, %xmm10
    xorps %xmm11, %xmm11
    xorps %xmm12, %xmm12
    xorps %xmm13, %xmm13
    xorps %xmm14, %xmm14
    xorps %xmm15, %xmm15
    /* The upper halves of ZMM0 to ZMM15 can be in use without AVX's. */
    testl $0xe0, %eax
    jz .Lscrub_mxcsr_\@
.Lscrub_avx_\@:
    vzeroall
    testl $0xe0, %eax
    jz .Lscrub_mxcsr_\@
    .irp i, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    vpxord %zmm\i, %zmm\i, %zmm\i
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    kxorw %k\i, %k\i, %k\i
    .endr
.Lscrub_mxcsr_\@:
    ldmxcsr \mxcsr
    jmp .Lscrub_done_\@
.Lscrub_all_\@:
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 \init
.Lscrub_done_\@:
.endm
