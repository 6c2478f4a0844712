/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What processes share from a fork on. A child has a copy of every object of its parent; those that
 * must be one object for both (open files, pipes, the writable file systems) are turned into remote
 * ones in the child, in place, before it runs.
 *
 *   share_prepare()          parent, before the others go to the gate: its service thread will not
 *                            answer for a while, and nobody shall wait for it
 *   share_begin(p, member)   parent, with everybody else at the gate: grants the child what it will
 *                            have open (p: whose descriptors it gets)
 *   share_end()              parent, before the others leave the gate
 *   share_join(p)            child, after family_join(): turns its copies into remote objects
 *
 * If no child comes to be, family_forget_member() takes the grants back.
 */

#include "libos/proc/thread.h"

/* When the process becomes the owner: its children will hear from their first moment on. */
void share_start(void);
void share_prepare(void);
void share_end(void);
void share_done(void); /* at the end in any case: there may have been no gate */
[[nodiscard]] int share_begin(const struct process *p, uint32_t member);
[[nodiscard]] int share_join(const struct process *p);
