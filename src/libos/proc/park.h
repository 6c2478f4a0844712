/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What wait.c needs of a thread's place in the enclave (proc/thread.c; tests have their own). */

#include "core/types.h"

struct thread;

/* The current thread is about to sleep: publishes its number outside and returns it. */
uint32_t park_begin(struct thread *t);
/* Somebody wakes `t`: its next number. */
uint32_t park_advance(struct thread *t);
/* Host signals the loader filed for the current thread go to the signal layer. */
void park_take_host_signals(void);
/* Only puts them aside for the next of these calls: for sleeps that must not do more, and would be
 * turned back for as long as the host's word says that there are some. */
void park_hold_host_signals(void);
/* The same as the first, but they are only handed out: where there is no process yet. */
uint64_t park_collect_host_signals(void);
