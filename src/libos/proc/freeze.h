/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Everybody else stands still, so that the enclave can be copied. A thread stands at the gate: on
 * its way back to the application (or at a place of a service thread's choice), out of every system
 * call, with no lock, no reference and no place in a queue. Interruptible waits end with -EINTR to
 * get there, and what they interrupted starts again afterwards without the application noticing.
 */

#include "libos/proc/thread.h"

/* -EAGAIN when somebody does not come out in time, or another thread is at it. */
[[nodiscard]] int freeze_begin(void);
/* The last ones, once nothing is left to be asked of anybody: late services (proc/service.h). */
[[nodiscard]] int freeze_late(void);
void freeze_end(void);
/* In a child: nobody else exists. */
void freeze_after_fork(void);

/* The gate: stands there while WORK_FREEZE is set. */
void freeze_gate(struct thread *t);
static inline bool freeze_wanted(const struct thread *t)
{
    return (__atomic_load_n(&t->work, __ATOMIC_ACQUIRE) & WORK_FREEZE) != 0;
}

/* A service thread is about to wait with no lock and nothing that is linked to its stack but what
 * its own after-fork function resets: it may be copied as it is, and goes to the gate when it comes
 * back. */
void freeze_rest_begin(void);
void freeze_rest_end(void);
/* The same without the gate: somebody who does not stand yet waits for what this thread does. */
void freeze_rest_end_busy(void);

/* A thread leaves the list of its process; until `done` it may still hold locks. */
void freeze_leaving(void);
void freeze_left(void);
