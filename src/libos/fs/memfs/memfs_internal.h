/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/dirindex.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/pagetree.h"

struct memfs_super {
    struct superblock *sb;
    uint64_t max_pages; /* 0: no limit */
    uint64_t pages;     /* atomically */
};

struct memfs_inode {
    struct inode inode;
    struct pagetree pages; /* inode.lock */
    struct dirindex dir;   /* namespace lock */
    char *target;
    uint64_t object;    /* of the family: processes map it (memfs_shared.c); 0: none did yet */
    struct list unused; /* until its reference is given back */
};

static inline struct memfs_inode *memfs_of(struct inode *inode)
{
    return container_of(inode, struct memfs_inode, inode);
}

int64_t memfs_read(struct inode *inode, struct iter *to, uint64_t offset);
int64_t memfs_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append);
int memfs_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size);
int64_t memfs_seek_data(struct inode *inode, uint64_t offset, bool hole);
int memfs_resize(struct inode *inode, uint64_t size);
/* The page at `index`, made when absent, with a reference. */
int memfs_pin(struct memfs_inode *m, uint64_t index, struct file_page **ret);

/* ---- memfs_shared.c: files that processes map to share them ---- */

static inline bool memfs_is_shared(const struct memfs_inode *m)
{
    return unlikely(__atomic_load_n(&m->object, __ATOMIC_ACQUIRE) != 0);
}
int memfs_share(struct inode *inode, uint32_t member, uint64_t *ret);
/* The inode goes. */
void memfs_unshare(struct memfs_inode *m);
int64_t memfs_read_shared(struct memfs_inode *m, struct iter *to, uint64_t offset);
/* Within one page. */
int memfs_write_shared(struct memfs_inode *m, const uint8_t *src, uint64_t offset, size_t size);
/* Pages come home, from everybody, to go for good. */
void memfs_call_home(struct memfs_inode *m, uint64_t first, uint64_t last);
/* Zeros within one page, if somebody has it. */
void memfs_clear_shared(struct memfs_inode *m, uint64_t start, uint64_t end);

void memfs_drop_pages(struct memfs_inode *m, uint64_t first, uint64_t last);
