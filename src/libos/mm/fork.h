/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The application's address space at a fork. No lock is taken: the caller runs alone. */

#include "core/types.h"

/* Every run of committed pages a child gets: all but what MADV_DONTFORK and MADV_WIPEFORK keep
 * back. `emit` must not change mappings or pages. */
[[nodiscard]] int
mm_for_each_run(int (*emit)(void *arg, uint64_t address, uint64_t size, uint8_t prot), void *arg);

/* In the child: `kept` tells whether those pages were brought along. If not, nothing is committed
 * anywhere, and the mappings are there only to be cleared. */
void mm_after_fork(bool kept);

/* Is memory mapped that the application believes to be shared with its children? */
bool mm_has_shared_anonymous(void);
