/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where things are in the test enclave, and what its operations are (enclave.S and rig.c). */

#define ENC_SIZE    0x400000
#define ENC_CODE    0x10000
#define ENC_DATA    0x20000  /* 16 pages RW */
#define ENC_RODATA  0x30000  /* 1 page R */
#define ENC_THREADS 0x100000 /* one stride each */
#define ENC_STRIDE  0x10000
#define ENC_DYNAMIC 0x300000 /* nothing here until EDMM */

/* Within a thread's stride. */
#define THR_TCS 0x0000
#define THR_SSA 0x1000 /* 4 frames */
#define THR_GS  0x8000 /* thread page, then stacks up to 0xc000 */
#define THR_FS  0xc000

/* Operation in RDI; RSI and RDX are arguments; results come back in RSI and RDX. */
#define OP_NOP          0 /* RSI = CSSA, RDX = RBX at entry */
#define OP_ENCLU        1 /* RSI -> struct enclu_args (outside): a raw ENCLU */
#define OP_SLOT         2 /* the same through a slot */
#define OP_READ         3 /* RDX = *(u64 *)RSI */
#define OP_WRITE        4 /* *(u64 *)RSI = RDX */
#define OP_CALL         5 /* call RSI */
#define OP_BASES        6 /* RSI = FS base, RDX = GS base */
#define OP_UD2          7
#define OP_INT3         8
#define OP_DIV0         9
#define OP_SYSCALL      10
#define OP_SPIN         11 /* registers and vectors filled from RSI -> pattern; until *(u32 *)RDX != 0 */
#define OP_ACCEPT       12 /* RSI = struct accept_args *: EACCEPT a range through the slot */
#define OP_SKIP         13 /* CSSA 1: SSA[0].RIP += RSI */
#define OP_INT80        14
#define OP_FAULTLOOP    15 /* RSI = count: UD2 and back, registers checked */
#define OP_NOP_TRAP     16 /* as OP_NOP, but EEXIT through a raw ENCLU */
#define OP_SETFS        17 /* wrfsbase RSI, wrgsbase unchanged; then ud2; then RSI = FS base */
#define OP_INTN         18 /* int $0x2e */
#define OP_SYSENTER     19
#define OP_EXITTO       20 /* EEXIT to RSI */
#define OP_GP           21 /* loads from a non-canonical address */
#define OP_SPIN512      22 /* zmm0-31 and k0-7 from RSI; until *(u32 *)RDX != 0 */
#define OP_STATE        23 /* XMM0 = RSI, MXCSR 3f80, FCW 027f, ud2, RSI = XMM0 */
#define OP_EXITTO_SLOT  24 /* as OP_EXITTO, through a slot */
#define OP_LOOP         25 /* RSI -> struct enclu_args: that slot, RDX times */
#define OP_ACCEPT_TOUCH 26 /* as OP_ACCEPT, then writes to the page RDX before leaving */
