/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/sealed/block_cache.h"
#include "libos/fs/sealed/sealed.h"
#include "seal/erofs.h"
#include "seal/seal.h"

#define SEALED_INODE_BUCKETS 16384u

/* Page-aligned: the keys inside want 64 bytes. */
struct sealed_store {
    struct seal_reader reader; /* its page cache is guarded by tag_lock, the rest is constant */
    struct mutex tag_lock;
    struct seal_page *pages; /* verified tag and tree pages */
    size_t page_bytes;       /* whole pages of memory they lie in */
    const uint8_t *map;      /* the blob, in untrusted memory */
    uint64_t map_size;
    int fd;
    struct block_cache cache;
    uint64_t opened;
    uint64_t faults;
    struct spinlock log_lock;
    uint64_t logged_at; /* file offset of the last fault logged */
    uint32_t logged;
};

struct sealed_super {
    struct sealed_store store; /* first: aligned */
    struct superblock *sb;
    struct erofs erofs;
    struct sealed_inode *bucket[SEALED_INODE_BUCKETS]; /* by nid; namespace lock */
};

struct sealed_inode {
    struct inode inode;
    struct erofs_inode e; /* constant */
    struct sealed_inode *next;
    uint64_t next_block; /* of the image: reading it goes on a sequential run */
    uint32_t window;     /* blocks opened ahead on such a run */
};

static inline struct sealed_inode *sealed_of(struct inode *inode)
{
    return container_of(inode, struct sealed_inode, inode);
}

static inline struct sealed_super *sealed_super_of(const struct inode *inode)
{
    return inode->sb->priv;
}

/* ---- store.c: blocks ---- */

[[nodiscard]] int store_open(struct sealed_store *s, const struct sealed_options *o);
void store_close(struct sealed_store *s);
struct store_plan {
    uint64_t block; /* the one that is wanted and not in the cache */
    uint32_t ahead; /* blocks from it on that may be opened at once, at least 1 */
    bool once;      /* what is opened need not stay (block_cache.h) */
};
/* Opens blocks. The first ones come back pinned, up to `want` (block_cache_insert): how many. */
[[nodiscard]] int store_pin(struct sealed_store *s, const struct store_plan *plan,
                            struct block_frame **ret, uint32_t want);
extern const struct erofs_io store_erofs_io; /* ctx: struct sealed_store */
/* One line about something found wrong at a byte of the file. */
void store_report(struct sealed_store *s, uint64_t offset, const char *what);

/* Bytes not copied: the host may have cut the file under its mapping (copy.S, or the test's). */
size_t sealed_raw_copy(void *dst, const void *untrusted_src, size_t size);

/* ---- sealed.c ---- */

/* What the application sees of an error of the image below. */
int sealed_error(struct sealed_super *s, const struct erofs_inode *e, int r);

/* ---- sealed_data.c ---- */

int64_t sealed_read(struct inode *inode, struct iter *to, uint64_t offset);
int64_t sealed_seek_data(struct inode *inode, uint64_t offset, bool hole);
