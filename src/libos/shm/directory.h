/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The owner's directory of shared pages: for each page who holds it alone, or who has a copy of
 * what the owner keeps. Nothing here waits; what has to be asked for first stands in the page's own
 * queue. The caller holds one lock over all of it.
 */

#include "libos/shm/wire.h"

#define DIRECTORY_HOME UINT32_MAX /* holder of a page: the owner's own books */
#define READERS_MAX    6u         /* copies of one page beside the owner's; the eldest gives way */

/* How messages reach a member; must not call back in here. False: there is no such member. */
typedef bool (*directory_send)(uint32_t member, const struct shm_head *h, const uint8_t *content);
void directory_start(directory_send send);

/* A new object, attached once by `member`, which holds every page of it, all zeros where it has
 * none. -EINVAL, -ENOMEM. */
[[nodiscard]] int directory_create(uint32_t member, uint64_t pages, uint64_t *ret);
/* One more attachment. -ENOENT. */
[[nodiscard]] int directory_attach(uint32_t member, uint64_t object, uint64_t *ret_pages);
/* `to` gets one attachment of everything `from` has. */
[[nodiscard]] int directory_clone(uint32_t from, uint32_t to);
/* A member's message; `size`: bytes of content behind the head. -EBADMSG: not from one of us. */
[[nodiscard]] int directory_take(uint32_t member, const struct shm_head *h, const uint8_t *content,
                                 size_t size);
/* The member is gone: what it held alone is lost. */
void directory_gone(uint32_t member);
/* In a child of the owner, and in tests. */
void directory_forget(void);
/* Objects that exist. */
size_t directory_count(void);
