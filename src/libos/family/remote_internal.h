/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between remote_fs.c, remote_data.c and remote_lower.c: a member's inode. */

#include "libos/family/remote.h"
#include "libos/family/rpc.h"

struct rinode {
    struct inode inode;
    struct rinode *next;       /* same bucket, by handle */
    struct rinode *lower_next; /* same bucket, by lower inode */
    uint32_t handle;           /* 0: the owner was not asked yet */
    uint32_t grants;
    uint32_t locked; /* bits by enum lock_kind: we set such locks */
    /* While nobody changed it, it is what our own lower file system has, and nobody is asked. */
    struct inode *lower; /* a reference, or NULL */
    uint32_t touched;    /* it was changed: ask the owner */
    /* How to find it at the owner's when it has no handle: a name in a directory. */
    struct rinode *parent; /* a reference, or NULL */
    char *name;
};

static inline struct rinode *rinode_of(struct inode *inode)
{
    return container_of(inode, struct rinode, inode);
}

/* What the member's own lower file system says is the truth. */
static inline bool rinode_untouched(const struct rinode *r)
{
    return r->lower != NULL && __atomic_load_n(&r->touched, __ATOMIC_ACQUIRE) == 0;
}

/* ---- remote_fs.c ---- */

struct rinode *rinode_alloc(struct superblock *sb, uint64_t ino, const struct inode_new *what);
/* Asks the owner for the attributes and takes them over. */
[[nodiscard]] int rinode_refresh(struct rinode *r);
/* A name's inode at the owner's: its attributes with a grant. */
[[nodiscard]] int rinode_ask(uint32_t dir_handle, const char *name, size_t size,
                             struct wire_attr *ret);
/* Gives an inode without a handle this one, or hands the grant back when it has got one. */
void rinode_set_handle(struct rinode *r, uint32_t handle);
/* A request of several parts whose answer is a number only. */
[[nodiscard]] int remote_ask_parts(uint32_t op, const struct channel_part *parts, size_t count);

/* ---- remote_data.c: operations of struct inode_ops ---- */

[[nodiscard]] int64_t remote_read(struct inode *inode, struct iter *to, uint64_t offset);
[[nodiscard]] int64_t remote_write(struct inode *inode, struct iter *from, uint64_t *offset,
                                   bool append);
[[nodiscard]] int remote_fallocate(struct inode *inode, int mode, uint64_t offset, uint64_t size);
[[nodiscard]] int64_t remote_seek_data(struct inode *inode, uint64_t offset, bool hole);
[[nodiscard]] int remote_share(struct inode *inode, uint32_t member, uint64_t *ret);
[[nodiscard]] int remote_fsync(struct inode *inode, bool data_only);
[[nodiscard]] int64_t remote_getxattr(struct inode *inode, const char *name, void *dst,
                                      size_t size);
[[nodiscard]] int64_t remote_listxattr(struct inode *inode, char *dst, size_t size);
[[nodiscard]] int remote_setxattr(struct inode *inode, const char *name, const void *src,
                                  size_t size, int flags);
[[nodiscard]] int remote_removexattr(struct inode *inode, const char *name);

/* ---- remote_lower.c ---- */

/* The handle, asked for by name where there is none yet. */
[[nodiscard]] int rinode_handle(struct rinode *r, uint32_t *ret);
/* The inode of a name in an untouched directory. -EAGAIN: it was touched meanwhile. */
[[nodiscard]] int lower_lookup(struct rinode *dir, const struct qstr *name, struct inode **ret);
/* `r`, the owner says, is what lower inode number `ino` is: remembers it when it is still true, and
 * when `dir` leads to it here. */
void lower_attach(struct rinode *r, struct rinode *dir, const struct qstr *name, uint64_t ino);
/* Of a fork: `lower` is borrowed. */
void lower_adopt(struct rinode *r, struct inode *lower);
/* The inode goes: out of the books. Namespace lock not needed. */
void lower_forget(struct rinode *r);
/* What was touched before we came. */
[[nodiscard]] int lower_sync(struct superblock *sb);
void lower_start(void);
