/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/dirindex.h"
#include "libos/fs/overlay/overlay.h"

#define OVL_BUCKETS   4096u
#define OVL_FIRST_INO (1ull << 40) /* numbers of files the lower does not have */

/* dir_entry.kind */
enum ovl_kind {
    OVL_OWN = 0,      /* entry->inode is the file */
    OVL_LOWER = 1,    /* listed from the lower directory; looked up there */
    OVL_WHITEOUT = 2, /* the lower has it, we do not */
};

struct ovl_super {
    struct superblock *sb;
    struct superblock *lower;
    struct superblock *upper;              /* memfs: contents of copied-up and new files */
    struct ovl_inode *bucket[OVL_BUCKETS]; /* by lower inode; namespace lock */
    struct mutex touch_lock;
    uint64_t *touched; /* numbers, in order of their first change; touch_lock */
    size_t touched_count, touched_cap;
};

struct ovl_inode {
    struct inode inode; /* attributes: the truth for both layers */
    struct ovl_inode *next;
    struct inode *lower; /* a reference; NULL: the lower never had it */
    struct inode *upper; /* a reference; NULL: content is the lower's. Set once, under write_lock */
    struct dirindex index;
    bool touched; /* differs from the lower, or is about to */
    bool merged;  /* index has all names of the lower directory */
    bool pinned;  /* holds a reference to itself: it differs from the lower */
};

static inline struct ovl_inode *ovl_of(struct inode *inode)
{
    return container_of(inode, struct ovl_inode, inode);
}

static inline struct ovl_super *ovl_super_of(const struct inode *inode)
{
    return inode->sb->priv;
}

static inline struct inode *ovl_upper(struct ovl_inode *o)
{
    return __atomic_load_n(&o->upper, __ATOMIC_ACQUIRE);
}

/* The layer that has the content. */
static inline struct inode *ovl_real(struct ovl_inode *o)
{
    struct inode *upper = ovl_upper(o);

    return upper != NULL ? upper : o->lower;
}

/* Before a change: whoever relies on the lower's state is told first. -ENOMEM. */
[[nodiscard]] int ovl_touch_slow(struct ovl_inode *o);
static inline int ovl_touch(struct inode *inode)
{
    struct ovl_inode *o = ovl_of(inode);

    return likely(o->touched || o->lower == NULL) ? 0 : ovl_touch_slow(o);
}
/* Keeps a changed inode in memory for as long as it has a name. */
void ovl_pin(struct inode *inode);
/* Gives a regular file its own content: the first `keep` bytes of the lower's. write_lock held. */
[[nodiscard]] int ovl_copy_up(struct ovl_inode *o, uint64_t keep);

int64_t ovl_read(struct inode *inode, struct iter *to, uint64_t offset);
int64_t ovl_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append);
int ovl_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size);
int64_t ovl_seek_data(struct inode *inode, uint64_t offset, bool hole);
int ovl_setattr(struct inode *inode, const struct iattr *attr);
int64_t ovl_getxattr(struct inode *inode, const char *name, void *dst, size_t size);
int64_t ovl_listxattr(struct inode *inode, char *dst, size_t size);
