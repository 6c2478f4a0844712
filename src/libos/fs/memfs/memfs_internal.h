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
void memfs_drop_pages(struct memfs_inode *m, uint64_t first, uint64_t last);
