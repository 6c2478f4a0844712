/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Where assembly finds fields of the structures in internal.h. thread.c asserts every one of them.
 */

/* struct soft_thread */
#define TH_HOST_FS       0x00
#define TH_CUR           0x08
#define TH_LAST_LINEAR   0x10
#define TH_LAST_EPOCH    0x18
#define TH_LAST_TCS      0x20
#define TH_LAST_GPR      0x28
#define TH_LAST_CSSA     0x30
#define TH_LEAF          0x34
#define TH_DEFERRED      0x38
#define TH_FLUSH         0x3c
#define TH_RESUME_RSP    0x40
#define TH_RESUME_RBP    0x48
#define TH_RESUME_XSTATE 0x50
#define TH_RESUME_XFRM   0x58
#define TH_RESUME_FS     0x60
#define TH_RESUME_GS     0x68
#define TH_LEAF_FS       0x70
#define TH_IRET          0x78
#define TH_REGS          0xa0
#define TH_VECTOR        0x130
#define TH_ERROR_CODE    0x138
#define TH_FAULT_ADDR    0x140
#define TH_XSAVE_MASK    0x148
#define TH_XSAVE         0x180

/* struct soft_regs, in GPRSGX order */
#define R_RAX    (TH_REGS + 0x00)
#define R_RCX    (TH_REGS + 0x08)
#define R_RDX    (TH_REGS + 0x10)
#define R_RBX    (TH_REGS + 0x18)
#define R_RSP    (TH_REGS + 0x20)
#define R_RBP    (TH_REGS + 0x28)
#define R_RSI    (TH_REGS + 0x30)
#define R_RDI    (TH_REGS + 0x38)
#define R_R8     (TH_REGS + 0x40)
#define R_R9     (TH_REGS + 0x48)
#define R_R10    (TH_REGS + 0x50)
#define R_R11    (TH_REGS + 0x58)
#define R_R12    (TH_REGS + 0x60)
#define R_R13    (TH_REGS + 0x68)
#define R_R14    (TH_REGS + 0x70)
#define R_R15    (TH_REGS + 0x78)
#define R_RFLAGS (TH_REGS + 0x80)
#define R_RIP    (TH_REGS + 0x88)

/* The page above holds struct soft_thread, then the microcode's stack, then the signal stack. */
#define SOFT_SLOT_SIZE    0x20000
#define SOFT_USTACK_TOP   0xa000
#define SOFT_ALTSTACK_OFF 0xa000
#define SOFT_XSAVE_SIZE   0x3000

/* struct soft_tcs */
#define TCS_OWNER  0x00
#define TCS_LINEAR 0x08
#define TCS_ENTRY  0x10
#define TCS_FS     0x18
#define TCS_GS     0x20
#define TCS_CSSA   0x28

/* struct sgx_gprsgx */
#define GPR_URSP 144
#define GPR_URBP 152

/* struct sgx_enclave_run (<asm/sgx.h>) */
#define RUN_TCS      0
#define RUN_FUNCTION 8
#define RUN_VECTOR   12
#define RUN_ERROR    14
#define RUN_ADDR     16
#define RUN_HANDLER  24
#define RUN_RESERVED 40
#define RUN_END      256

/* enum soft_leaf_state */
#define LEAF_NONE 0
#define LEAF_RUN  1
#define LEAF_DONE 2

/* Literals in the common code and in each stub of a trampoline area. */
#define LIT_BASE       0x00
#define LIT_SIZE       0x08
#define LIT_GS_TABLE   0x10
#define LIT_AEP        0x18
#define LIT_LEAF_CALL  0x20
#define LIT_LEAF_XCALL 0x28
#define LIT_COMMON     0x30
#define LIT_NEXT       0x38
#define LIT_END        0x40
