/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where the heap gets its pages: EDMM in the enclave, anonymous memory in tests. */

#include "core/types.h"

/* The arena (address, pages: a power of two up to 2^23) and room for its books, 16 bytes a page. */
void kmem_backend_area(uint64_t *ret_arena, uint64_t *ret_pages, uint64_t *ret_meta);
/* Zero-filled pages. */
[[nodiscard]] int kmem_backend_commit(uint64_t address, uint64_t size);
void kmem_backend_decommit(uint64_t address, uint64_t size);

/* --- fork --- */

/* Every run of pages a child must have: with its content, or (`content` false) merely there, as the
 * pages at `scratch` (of kpages_alloc). */
typedef int kmem_run_fn(void *arg, uint64_t address, uint64_t size, bool content);
[[nodiscard]] int kmem_for_each_run(const void *scratch, kmem_run_fn *emit, void *arg);
/* In the child, once everything is in place: large free blocks were not brought along. */
void kmem_after_fork(void);

/* Pages the heap holds committed and free. */
uint64_t kmem_free_pages(void);
