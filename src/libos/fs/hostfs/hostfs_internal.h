/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/dirindex.h"
#include "libos/fs/hostfs/hostfs.h"
#include "libos/fs/pagetree.h"
#include "libos/host/host.h"

#define HOSTFS_BUCKETS 1024u

struct hostfs_super {
    struct superblock *sb;
    int root_fd;
    bool writable;
    uint64_t root_dev;
    struct hostfs_inode *bucket[HOSTFS_BUCKETS]; /* by host device and inode; namespace lock */
};

struct hostfs_inode {
    struct inode inode;
    struct hostfs_inode *next;   /* same bucket */
    struct hostfs_inode *parent; /* a reference; NULL: the root */
    char *name;                  /* one name it has; the path of a hard link is any of them */
    uint64_t host_dev, host_ino;
    /* the rest under inode.lock */
    struct pagetree pages;
    uint64_t next_miss; /* where sequential reading would miss next */
    struct list lru;    /* hostfs_cache.c */
    bool on_lru;
    int fd; /* -1: not open */
    bool fd_writable;
    struct list fd_lru;
    char *target; /* of a symlink, once read (read-only) */
    /* namespace lock */
    struct dirindex listing;
    bool listed;
};

static inline struct hostfs_inode *hostfs_of(struct inode *inode)
{
    return container_of(inode, struct hostfs_inode, inode);
}

static inline struct hostfs_super *hostfs_super_of(const struct inode *inode)
{
    return inode->sb->priv;
}

/* Path of an inode, or of `name` in it, relative to the root: kmalloc'd. "." is the root. */
[[nodiscard]] int hostfs_path(const struct hostfs_inode *h, const struct qstr *name, char **ret);
void hostfs_take_stat(struct hostfs_inode *h, const struct host_stat *st);
/* The host descriptor of a regular file, opened when it is not. inode.lock held. */
[[nodiscard]] int hostfs_fd(struct hostfs_inode *h, bool write);
void hostfs_fd_drop(struct hostfs_inode *h);

int64_t hostfs_read(struct inode *inode, struct iter *to, uint64_t offset);
int64_t hostfs_write(struct inode *inode, struct iter *from, uint64_t *offset, bool append);
int hostfs_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size);
int hostfs_sync(struct inode *inode, bool data_only);
void hostfs_cache_drop(struct hostfs_inode *h);

int hostfs_create_in(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                     struct inode **ret);
int hostfs_link(struct inode *dir, const struct qstr *name, struct inode *target);
int hostfs_unlink(struct inode *dir, const struct qstr *name, struct inode *victim);
int hostfs_rmdir(struct inode *dir, const struct qstr *name, struct inode *victim);
int hostfs_rename(struct inode *from, const struct qstr *from_name, struct inode *source,
                  struct inode *to, const struct qstr *to_name, struct inode *target,
                  uint32_t flags);
int hostfs_setattr(struct inode *inode, const struct iattr *attr);
int hostfs_lookup(struct inode *dir, const struct qstr *name, struct inode **ret);
