/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The application's address space at a fork. Everybody else stands still meanwhile, but for the
 * last function, which takes the lock of the map. */

#include "core/types.h"

/* Every run of committed pages a child gets: all but what MADV_DONTFORK and MADV_WIPEFORK keep
 * back. `emit` must not change mappings or pages. */
[[nodiscard]] int
mm_for_each_run(int (*emit)(void *arg, uint64_t address, uint64_t size, uint8_t prot), void *arg);

/* In the child: `kept` tells whether those pages were brought along. If not, nothing is committed
 * anywhere, and the mappings are there only to be cleared. */
void mm_after_fork(bool kept);

/* Is there memory that a child will share? Before everybody stands still. */
bool mm_has_shared(void);
/* With everybody at the gate: shared memory without a file becomes the family's (shm/local.h). */
[[nodiscard]] int mm_share(void);

/* Writable memory that the application believes to be shared with its children. */
#define MM_SHARED_FILE      0x2u /* what is written there others see after msync or munmap */
#define MM_SHARED_SEMAPHORE 0x4u /* of sem_open(3): nothing but a lock that would not lock */
uint32_t mm_shared_with_children(void);
