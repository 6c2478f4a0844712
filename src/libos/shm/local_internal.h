/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between local.c, the pager's part, and maps.c, what shows objects where. All under the pager's
 * lock. */

#include "libos/lib/list.h"
#include "libos/shm/link.h"
#include "libos/shm/local.h"

struct thread;

struct shm_object {
    uint32_t refs; /* mappings; the pager's lock */
    uint64_t id;
    uint64_t pages;
    uint64_t grants; /* attachments the owner counts */
    struct list node;
};

struct range {
    struct list node;
    struct shm_object *object;
    uint64_t page; /* of the object, at `address` */
    uint64_t count;
    uint64_t address;
    uint32_t prot;
};

/* A page that was asked for. */
struct pending {
    struct list node;
    uint64_t object, page;
    uint64_t address; /* where it is wanted */
    bool write;
    struct list waiters;
};

struct wait {
    struct list node;
    struct thread *thread;
    uint32_t done;
    int result;
};

extern struct list g_local_ranges;  /* struct range */
extern struct list g_local_pending; /* struct pending */
extern uint8_t *g_local_bounce;     /* a page */

uint64_t local_range_end(const struct range *r);
struct range *local_range_at(uint64_t address);
/* Which page of the object is at `address`. */
uint64_t local_page_at(const struct range *r, uint64_t address);
/* Where this process has the page, alone or as a copy; 0: it has not. */
uint64_t local_have(uint64_t object, uint64_t page, struct range **ret);
struct pending *local_pending_of(uint64_t object, uint64_t page);
void local_finish(struct pending *p, int result);
/* A page at an address that shows it. Alone (`alone`) or as a copy. */
[[nodiscard]] int local_put_page(const struct range *r, uint64_t address, bool alone,
                                 const uint8_t *content);
/* What is at `address` goes home, and from here. `number` of a recall, or 0. */
void local_give_back(uint64_t address, uint64_t object, uint64_t page, uint64_t number);
/* To the owner; when it is gone, nowhere. */
void local_post(uint32_t op, uint32_t flags, uint64_t object, uint64_t page, uint64_t a, uint64_t b,
                const uint8_t *content);
/* Who waited for the page uses it now. */
void local_seen(uint64_t object, uint64_t page);
/* In a child: nobody waits for anything. */
void local_forget(void);
