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

#define DIRECTORY_VISITOR (UINT32_MAX - 1) /* asks on behalf of the owner's own books */

/* Where the content of an object is kept that belongs to something else (a file). Called under the
 * lock; must not call back in here. */
struct directory_backing {
    /* The page's memory, made where there is none if `make`; NULL: zeros, or no room. */
    uint8_t *(*data)(void *ctx, uint64_t page, bool make);
    uint64_t (*pages)(void *ctx); /* what lies behind cannot be had (SIGBUS) */
    void (*used)(void *ctx);      /* first attachment */
    void (*unused)(void *ctx);    /* the last one ended */
};
/* A new object whose pages are all at home; it stays until directory_drop(). `backing` may be NULL:
 * then it is `pages` long and all zeros. */
[[nodiscard]] int directory_create_home(const struct directory_backing *backing, void *ctx,
                                        uint64_t pages, uint64_t *ret);
/* It goes with its last attachment; at once, when its backing goes. */
void directory_drop(uint64_t object);
uint64_t directory_attachments(uint64_t object);

/* Has `act` look at (or, with `write`, change) a page while it is at home, under the lock, now or
 * later: `data` is NULL for zeros; `error`: the page is lost, or there is no room. 0: it was
 * called; -EINPROGRESS: it will be; else it will not. */
typedef void (*directory_act)(void *ctx, uint8_t *data, int error);
[[nodiscard]] int directory_visit(uint64_t object, uint64_t page, bool write, directory_act act,
                                  void *ctx);
/* The first page of [page, last] that is, or was, with somebody; false: none. */
bool directory_away(uint64_t object, uint64_t page, uint64_t last, uint64_t *ret);
/* What was lost is not wanted any more: the page is gone from its file. */
void directory_forgive(uint64_t object, uint64_t page);
/* Nobody has to be asked for it. */
bool directory_is_home(uint64_t object, uint64_t page);

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
