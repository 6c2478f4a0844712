/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Memory the application gave back, kept for its next mapping. Taking pages from the host and
 * trimming them costs two exits and two leaves a page; keeping them costs one exit each way and
 * clearing them. A kept page lies in no mapping and cannot be accessed (the host maps it without
 * access, as a guard page), still counts as committed, and goes for good when there are too many,
 * when memory is short or when its address is wanted for something else.
 *
 * Callers hold mm->lock, but for keep_drop_all(). Lock order: mm->lock > the heap's > keep's.
 */

#include "core/types.h"

/* What munmap does with the pages of a range: keeps them or gives them to the host. */
void keep_or_decommit(uint64_t address, uint64_t size);
/* Pages kept in a range that becomes memory nobody has seen yet: zero-filled, with `prot`
 * (PAGE_R/W/X), as after page_commit(). */
[[nodiscard]] int keep_revive(uint64_t address, uint64_t size, uint8_t prot);
/* Gives pages kept in a range to the host. */
void keep_drop(uint64_t address, uint64_t size);
/* All of them; true when there were any. */
bool keep_drop_all(void);
/* Bytes kept. */
uint64_t keep_bytes(void);
