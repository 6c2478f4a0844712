/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The process ends: what its semaphores are to be taken back by (SEM_UNDO). */
void sysv_ipc_exit(void);
/* In a child: nothing is inherited. */
void sysv_ipc_after_fork(void);
