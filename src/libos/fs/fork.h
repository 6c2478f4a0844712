/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Open files and file systems at a fork. The child has a copy of every object of the file layer, at
 * the same address; descriptors of the host are inherited. What must be one object for both is made
 * so here.
 */

#include "core/types.h"

/* In the parent, before the copy; -errno and there is no fork. No lock is held, other threads
 * run. */
[[nodiscard]] int fs_fork_prepare(void);
/* In the parent, afterwards; `made`: there is a child. */
void fs_fork_done(bool made);
/* In the child: it has joined nothing yet, and runs alone. */
void fs_after_fork(void);
