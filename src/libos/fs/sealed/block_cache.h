/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Opened blocks of a sealed image, by number. Bounded: the clock algorithm chooses what goes. A
 * pinned frame stays where it is and is never written again, so its holder reads it without a lock.
 *
 * What streams by is not kept: a block put in with `once` leaves with its first reader, and its
 * frame, still warm, takes the next one. The table remembers it, and the second time it stays. So a
 * file that is read once costs no new memory and drives nothing out that is in use.
 *
 * Locks: `grow` (held over allocation) > a shard (a few instructions). Any number of threads.
 */

#include "abi/sealed_format.h"
#include "libos/lib/sync.h"

#define BLOCK_SHARDS       64u
#define BLOCK_FILL_MAX     32u /* blocks opened at once */
#define BLOCK_PINS_MAX     8u  /* neighbours pinned at once: those under one lock */
#define BLOCK_CACHE_MIN    ((uint64_t)1 << 20)
#define BLOCK_LEAF_ENTRIES 512u
#define BLOCK_NONE         UINT64_MAX

struct block_frame {
    uint64_t block; /* BLOCK_NONE: not in the table */
    uint32_t pins;
    bool hot;  /* used again since the clock's hand came by */
    bool once; /* goes when it has been read to its end */
    uint8_t *data;
    struct block_frame *next_free;
};

#define BLOCK_SLAB_FRAMES \
    64u /* frames are made in slabs: of 256 KiB at first, later several at once */

struct block_slab {
    struct block_frame *frames; /* BLOCK_SLAB_FRAMES */
    size_t run_pages; /* of the memory that starts with this slab's; 0: within another's */
};

struct block_cache {
    uint64_t block_count;
    struct block_frame ***top; /* leaves of BLOCK_LEAF_ENTRIES frames, made on first use */
    size_t top_count;
    struct spinlock shard[BLOCK_SHARDS];
    struct mutex grow; /* guards what follows */
    struct block_slab *slabs;
    size_t slab_count;
    size_t slab_room;
    size_t slab_max; /* the bound */
    size_t hand;
    struct block_frame *free;
    uint64_t evicted;
    uint64_t passed; /* blocks that went with their first reader */
};

/* `bytes` bounds the data kept; at least BLOCK_CACHE_MIN is used. */
[[nodiscard]] int block_cache_init(struct block_cache *c, uint64_t block_count, uint64_t bytes);
/* Nobody may hold a pin. Harmless on a zeroed cache. */
void block_cache_free(struct block_cache *c);

/* A pin on the frames of blocks from `block` on, as far as they are here and easily had together:
 * at most `count` and BLOCK_PINS_MAX. How many; 0: this block is not here. */
uint32_t block_cache_pin(struct block_cache *c, uint64_t block, struct block_frame **ret,
                         uint32_t count);
bool block_cache_has(struct block_cache *c, uint64_t block);
/* Gives up the pins of one block_cache_pin() or _insert(). The first `finished` blocks were read to
 * their end: of these, what was there for one reader comes out, onto the list *gone, which is the
 * caller's to give back. */
void block_cache_unpin(struct block_cache *c, struct block_frame *const *frames, uint32_t count,
                       uint32_t finished, struct block_frame **gone);
void block_cache_give_gone(struct block_cache *c, struct block_frame **gone);
/* By number: the block is pinned by the caller. */
void block_cache_unpin_block(struct block_cache *c, uint64_t block);

/* Up to `count` frames that are in nobody's way, to be filled; how many, or -ENOMEM. */
[[nodiscard]] int block_cache_take(struct block_cache *c, struct block_frame **ret, uint32_t count);
/* Gives frames back unused. */
void block_cache_give(struct block_cache *c, struct block_frame *const *frames, uint32_t count);

struct block_fill {
    uint64_t block; /* the first */
    uint32_t count;
    bool once; /* each for one reader, unless it has been here before */
    struct block_frame *frames[BLOCK_FILL_MAX];
};
/* Puts filled frames in. The first blocks come back pinned, as by block_cache_pin(): how many.
 * Where another thread was faster its frame is the one that counts and ours goes back; so it does
 * when there is no memory for the table, which is an error (-ENOMEM) when it is the first's. */
[[nodiscard]] int block_cache_insert(struct block_cache *c, const struct block_fill *f,
                                     struct block_frame **ret, uint32_t want);

/* Bytes of blocks kept. */
uint64_t block_cache_bytes(struct block_cache *c);
