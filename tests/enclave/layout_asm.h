/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Numbers entry.S shares with enclave.h, where static assertions tie them to the structures. */

#define IMAGE_OFFSET 0xffc0000000 /* ENCLAVE_IMAGE_OFFSET */

/* struct enclave_thread_page, from GS base */
#define TP_STACK_TOP       80
#define TP_TRAP_TOP        96
#define TP_TRAP_STACK_SIZE 104

/* struct thread, behind it */
#define T_BLOCK     256
#define T_LEVEL     264
#define T_STARTED   268
#define T_LEVELS    288
/* one level: 1 << LEVEL_SHIFT bytes */
#define LEVEL_SHIFT 5
#define L_HOST_RSP  0
#define L_HOST_RBP  8
#define L_HOST_RIP  16
#define L_SAVED_RSP 24
#define LEVELS      3

#define ENTER_START     0
#define ENTER_THREAD    1
#define ENTER_RETURN    2
#define ENTER_EXCEPTION 3
#define ENTER_SIGNAL    4
#define EXIT_ABORTED    3
