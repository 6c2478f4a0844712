/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Pages of the enclave: what is committed (EAUG + EACCEPT), with which permissions, and how many
 * there may be. All addresses are linear and page aligned, all ranges inside ELRANGE. The caller
 * holds the lock of the area the range belongs to (mm->lock for the application's); different areas
 * may be worked on at the same time.
 */

#include "core/types.h"

#define PAGE_COMMITTED 0x01u /* EACCEPTed */
#define PAGE_R         0x02u
#define PAGE_W         0x04u
#define PAGE_X         0x08u
#define PAGE_PATCHED   0x10u /* holds rewritten system calls */
#define PAGE_FAMILY    0x20u /* shows shared memory: changed under the pager's lock (shm/local.h) */
#define PAGE_KEPT      0x40u /* given back by the application, not by us (keep.h); not COMMITTED */
#define PAGE_HELD      0x80u /* of shared memory: this process has it, alone; COMMITTED or all zeros */
#define PAGE_RWX       (PAGE_R | PAGE_W | PAGE_X)

/* `limit`: bytes that may be committed, measured pages included; 0: PAGE_LIMIT_DEFAULT. */
#define PAGE_LIMIT_DEFAULT ((uint64_t)4 << 30)
[[nodiscard]] int page_init(uint64_t limit, uint64_t measured);

/* State byte of one page; 0 when nothing is committed there. */
uint8_t page_state(uint64_t address);
void page_state_set(uint64_t address, uint8_t set, uint8_t clear);

/* Room in the books for the states of a range: afterwards page_state_set() and committing there
 * need no memory of ours. -ENOMEM. */
[[nodiscard]] int page_prepare(uint64_t address, uint64_t size);

/* Commits zero-filled pages with `prot` (PAGE_R/W/X) wherever none are yet; committed ones keep
 * content and permissions. -ENOMEM beyond the limit or when the host gives no page; what was
 * committed stays. */
[[nodiscard]] int page_commit(uint64_t address, uint64_t size, uint8_t prot);

/* Pages from `address` on (below `end`) whose state under `mask` is that of the first; at least 1.
 */
uint64_t page_run(uint64_t address, uint64_t end, uint8_t mask);

/* No access at all is the EPCM's read-only plus the host's page table (the driver keeps every page
 * readable for EACCEPT's sake): enough for guard pages and kept ones, which protect the application
 * from itself. */
[[nodiscard]] int page_hide(uint64_t address, uint64_t size, bool hidden);

/* Gives pages back to the host (TRIM, EACCEPT, remove). Uncommitted ones are skipped. */
void page_decommit(uint64_t address, uint64_t size);

/* Changes permissions of the committed pages of a range, in the EPCM: EMODPE to extend, EMODPR and
 * EACCEPT to restrict. */
[[nodiscard]] int page_protect(uint64_t address, uint64_t size, uint8_t prot);

/* Commits one page with this content and `prot` in one step, so that no other thread ever sees it
 * half filled. `src` is a page-aligned page of ours. EACCEPTCOPY adds `prot` to what EAUG gave: the
 * page can be read and written as well until page_protect. Committed already: no change. */
[[nodiscard]] int page_commit_copy(uint64_t address, const void *src, uint8_t prot);

/* Committed pages of a range. */
uint64_t page_count_committed(uint64_t address, uint64_t size);

struct page_counters {
    uint64_t limit;     /* bytes */
    uint64_t committed; /* pages now, measured ones included, those kept for later (keep.h) not */
    uint64_t peak;
    uint64_t commits; /* pages ever */
    uint64_t decommits;
    uint64_t protects;
};
void page_counters(struct page_counters *ret);

/* --- fork --- */

/* The committed pages of a range, as runs of equal permissions. Ends with the first error. */
[[nodiscard]] int
page_for_each_run(uint64_t address, uint64_t size,
                  int (*emit)(void *arg, uint64_t address, uint64_t size, uint8_t prot), void *arg);
/* The pages of a range were not brought along: nothing is committed there. */
void page_forget(uint64_t address, uint64_t size);
/* In a child, whose enclave holds this many pages: counts from here. */
void page_after_fork(uint64_t committed);

/* Bytes that can still be committed. */
uint64_t page_available(void);
