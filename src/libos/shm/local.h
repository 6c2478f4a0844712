/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * This process's part in memory that a family shares: which of its addresses show which pages of
 * which object, and the pages it has at the moment. A page of an object is in one process alone, or
 * read-only in several; who touches one that is not here waits until the owner sent it.
 *
 * What shows an object is in two books: the mappings (mm/vma.h), under mm->lock, and the ranges
 * here, under the pager's lock, which the pager can read. Functions that change ranges want both
 * locks' order: they are called with mm->lock held and take the pager's.
 */

#include "core/types.h"

struct shm_object;

/* Once, before anything else here. */
void shm_start(void);

struct shm_object *shm_object_get(struct shm_object *o);
/* The last reference ends the attachment. NULL is fine. */
void shm_object_put(struct shm_object *o);

uint64_t shm_object_size(const struct shm_object *o);
uint64_t shm_object_id(const struct shm_object *o);
/* One of several attachments ends. */
void shm_object_part(struct shm_object *o);

/* A new object of the family with what is committed in [address, address + size) as its content:
 * it is shown there from now on. The link stands (shm_link_start). */
[[nodiscard]] int shm_object_make(uint64_t address, uint64_t size, uint32_t prot,
                                  struct shm_object **ret);
/* The object of that number, which this process was granted one more attachment of. The grant goes
 * with a failure. */
[[nodiscard]] int shm_object_attached(uint64_t id, uint64_t pages, struct shm_object **ret);
/* Shows the pages of `o` from `offset` on at [address, address + size), as far as there are any;
 * nothing is committed there. */
[[nodiscard]] int shm_show(struct shm_object *o, uint64_t offset, uint64_t address, uint64_t size,
                           uint32_t prot);
/* Nothing of an object is shown there any more: what this process holds goes home. */
void shm_hide(uint64_t address, uint64_t size);
[[nodiscard]] int shm_protect(uint64_t address, uint64_t size, uint32_t prot);

/* A fault on what shows an object; mm->lock is not held. `give_way`: the access is the
 * application's, and may be tried again after what is to be done on the way back. 0: try again;
 * -EIO: the page is lost. -ENOMEM. */
[[nodiscard]] int shm_fault(uint64_t address, bool write, bool give_way);

/* Where a word lies that others may see as well: false where it is this process's own. */
bool shm_key(uint64_t address, uint64_t *ret_object, uint64_t *ret_offset);

/* ---- fork ---- */

/* The child `member` has all that is shown here. */
[[nodiscard]] int shm_clone(uint32_t member);
/* In the child, before it joins: `kept` as in mm/fork.h. The caller forgot the pages' state. */
void shm_after_fork(bool kept);
/* In the child, once it is a member. */
[[nodiscard]] int shm_join(void);
/* Before the process ends: all it holds goes home, and is there when this returns. */
void shm_leave(void);

/* ---- shared futexes (proc/futex_family.c) ---- */

struct shm_head;
/* Asks the owner; its answer. -EIO. */
[[nodiscard]] int64_t shm_question(struct shm_head *h);
/* SHM_WOKEN came. Under the pager's lock. */
void shm_on_woken(void (*woken)(uint64_t ticket));
