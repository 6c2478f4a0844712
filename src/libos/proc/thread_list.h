/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Finding threads. A thread leaves process->threads under threads_lock before its signal state is
 * freed; a reference keeps the struct itself.
 */

#include "libos/proc/thread.h"

/* With a reference, or NULL. */
struct thread *thread_find(struct process *p, int32_t tid);
void thread_put(struct thread *t);
