/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Pages of the library OS's own area: counted against the limit, but without a state table. The
 * caller knows what is committed. */

#include "core/types.h"

[[nodiscard]] int page_raw_commit(uint64_t address, uint64_t size);
void page_raw_decommit(uint64_t address, uint64_t size);
/* A committed page with a struct sgx_tcs in it becomes a TCS. */
[[nodiscard]] int page_raw_make_tcs(uint64_t address);

/* EPCM (and, for 0, host) permissions of a committed run from one PAGE_RWX set to another; no state
 * is looked at or kept. */
[[nodiscard]] int page_raw_protect(uint64_t address, uint64_t size, uint8_t from, uint8_t to);
