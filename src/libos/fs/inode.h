/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Inodes, superblocks, and the operations a file system supplies. Operations know no dentries, only
 * (directory inode, name), so that file systems stack (overlay over memfs and a sealed root).
 *
 * Locking: every directory operation (lookup, create, link, unlink, rename, readdir, get_link,
 * tmpfile) runs under the one namespace lock (fs/dentry.h). Data and attributes have two locks of
 * their own in each inode: `write_lock` serialises writers, truncation and fallocate and may be
 * held while application memory is copied; `lock` guards sizes, attributes and page tables for a
 * few instructions or a fill from the backing store and is never held across such a copy.
 * Order: namespace lock > write_lock > lock.
 */

#include "libos/fs/iter.h"
#include "libos/lib/list.h"
#include "libos/lib/sync.h"
#include "libos/lib/uapi.h"

struct dentry;
struct file;
struct inode;
struct path;
struct superblock;
struct inode_locks;
struct lock_request;
struct xattrs;

struct kstat {
    uint64_t dev, ino, rdev, size, blksize, blocks;
    uint32_t mode, nlink, uid, gid;
    struct timestamp atime, mtime, ctime, btime;
};

struct kstatfs {
    uint64_t magic, bsize, blocks, bfree, bavail, files, ffree, namelen, flags;
};

/* A name of one path component; not terminated. */
struct qstr {
    const char *s;
    uint32_t len;
    uint32_t hash;
};

/* What a new inode shall be. */
struct inode_new {
    uint32_t mode; /* type and permissions, umask already applied */
    uint32_t uid, gid;
    uint64_t rdev;
    const char *target; /* S_IFLNK: the text */
};

#define ATTR_MODE  0x01u
#define ATTR_UID   0x02u
#define ATTR_GID   0x04u
#define ATTR_SIZE  0x08u
#define ATTR_ATIME 0x10u
#define ATTR_MTIME 0x20u
struct iattr {
    uint32_t valid; /* ATTR_* */
    uint32_t mode;  /* permission bits alone */
    uint32_t uid, gid;
    uint64_t size;
    struct timestamp atime, mtime;
};

/* Receives directory entries. `emit` returns false when it has no room: the entry then counts as
 * not read. `pos` is where reading starts and, on return, continues; 0 is the start and cookies
 * given as `next` stay valid whatever is created or removed meanwhile. "." and ".." are added by
 * the caller. */
struct dir_context {
    uint64_t pos;
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, uint64_t ino, uint8_t type,
                 uint64_t next);
};

struct inode_ops {
    /* directories */
    int (*lookup)(struct inode *dir, const struct qstr *name, struct inode **ret); /* a reference */
    int (*create)(struct inode *dir, const struct qstr *name, const struct inode_new *what,
                  struct inode **ret);
    int (*link)(struct inode *dir, const struct qstr *name, struct inode *target);
    int (*unlink)(struct inode *dir, const struct qstr *name, struct inode *victim);
    int (*rmdir)(struct inode *dir, const struct qstr *name, struct inode *victim);
    /* `target` is what `to_name` names now, or NULL; flags: RENAME_EXCHANGE or 0. */
    int (*rename)(struct inode *from, const struct qstr *from_name, struct inode *source,
                  struct inode *to, const struct qstr *to_name, struct inode *target,
                  uint32_t flags);
    int (*tmpfile)(struct inode *dir, const struct inode_new *what, struct inode **ret);
    int (*readdir)(struct inode *dir, struct dir_context *ctx);
    /* symlinks: the text, at most size bytes, not terminated; its length */
    int (*readlink)(struct inode *inode, char *dst, size_t size);
    /* links of /proc that lead to an object rather than a name; fills a path with references */
    int (*magic_link)(struct inode *inode, struct path *ret);
    /* attributes; without getattr the inode's own fields are the truth */
    int (*getattr)(struct inode *inode, struct kstat *ret);
    int (*setattr)(struct inode *inode, const struct iattr *attr);
    /* data of regular files; size checks against the file limit were made */
    int64_t (*read)(struct inode *inode, struct iter *to, uint64_t offset);
    /* append: *offset is set to the end of the file first */
    int64_t (*write)(struct inode *inode, struct iter *from, uint64_t *offset, bool append);
    int (*fallocate)(struct inode *inode, int mode, uint64_t offset, uint64_t size);
    int64_t (*seek_data)(struct inode *inode, uint64_t offset, bool hole);
    int (*fsync)(struct inode *inode, bool data_only);
    /* Memory that processes share: the number of the object (shm/home.h) with this file's pages,
     * and one attachment of it for `member`. -EOPNOTSUPP (or no operation): mappings are copies. */
    int (*share)(struct inode *inode, uint32_t member, uint64_t *ret);
    /* user.* and trusted.*; without these, attributes live in inode->xattrs */
    int64_t (*getxattr)(struct inode *inode, const char *name, void *dst, size_t size);
    int64_t (*listxattr)(struct inode *inode, char *dst, size_t size);
    /* with these, extended attributes are the file system's alone */
    int (*setxattr)(struct inode *inode, const char *name, const void *src, size_t size, int flags);
    int (*removexattr)(struct inode *inode, const char *name);
    /* Advisory locks, when they are not kept here (fs/locks.h). lock_closed: a descriptor of this
     * process's was closed, or (`last`) the open file goes. */
    int (*lock)(struct file *f, const struct lock_request *req, bool wait);
    int (*lock_test)(struct file *f, struct lock_request *req);
    void (*lock_closed)(struct file *f, bool last);
    /* Something that the file system does not see was changed (xattrs): keep it in memory. */
    void (*pin)(struct inode *inode);
    /* A file of this inode is being opened: may set file->ops and file->priv, or fail. */
    int (*open)(struct inode *inode, struct file *file);
    /* The last reference went: release what the file system hangs on it, then the inode itself. */
    void (*evict)(struct inode *inode);
};

#define SB_RDONLY   0x01u
#define SB_VOLATILE 0x02u /* names change behind our back: ask the file system at every walk */
#define SB_NOEXEC   0x04u
#define SB_NOSUID   0x08u
#define SB_NODEV    0x10u
#define SB_UNSAFE   0x20u /* a host directory: neither secret nor protected */
#define SB_SHARED   0x40u /* its files change: in a family of processes the owner keeps it */

struct super_ops {
    int (*statfs)(struct superblock *sb, struct kstatfs *ret);
    /* Everything but the superblock itself; the root inode is gone already. May be NULL. */
    void (*free)(struct superblock *sb);
};

struct superblock {
    const struct super_ops *ops;
    const char *type; /* as /proc/mounts shows it */
    uint64_t dev;
    uint32_t flags;
    uint64_t magic;
    struct inode *root; /* a reference */
    uint64_t next_ino;
    void *priv;
};

#define INODE_APPEND_ONLY 0x01u
#define INODE_VOLATILE    0x04u /* a directory: its names change by themselves, never cache them */
#define INODE_SHARED      0x08u /* processes share its pages: access to data may wait for them */
#define INODE_DEAD_DIR    0x02u /* a removed directory: nothing can be created in it */

struct inode {
    struct refcount refs;
    const struct inode_ops *ops;
    struct superblock *sb;
    uint64_t ino;
    uint32_t mode, uid, gid, nlink;
    uint32_t flags; /* INODE_* */
    uint32_t seals; /* F_SEAL_*; F_SEAL_SEAL when the file does not take seals */
    uint64_t rdev;
    uint64_t size;
    uint64_t blocks; /* of 512 bytes */
    struct timestamp atime, mtime, ctime, btime;
    struct mutex lock;
    struct mutex write_lock;
    struct spinlock meta;      /* guards the pointers below */
    struct inode_locks *locks; /* fs/locks.c; NULL until the first lock */
    struct list watches;       /* fs/inotify.c */
    struct xattrs *xattrs;     /* fs/xattr.c */
    void *object;              /* S_IFIFO: struct pipe; S_IFSOCK: the bound socket */
    struct dentry *alias;      /* directories: their dentry while they have one; namespace lock */
    uint32_t family_handle;    /* family/fork.c, while a child is made */
    int32_t write_count;       /* open for writing (>0), for leases and ETXTBSY of execve (<0) */
};

/* Prepares the common part: one reference, one link, current time. */
void inode_init(struct inode *inode, struct superblock *sb, const struct inode_ops *ops,
                uint64_t ino, const struct inode_new *what);
static inline struct inode *inode_get(struct inode *inode)
{
    ref_get(&inode->refs);
    return inode;
}
void inode_put(struct inode *inode); /* NULL is fine */
static inline void inode_putp(struct inode **inode)
{
    inode_put(*inode);
}
#define _cleanup_inode_ _cleanup_(inode_putp)
/* The common part, released just before the memory is: for evict operations. */
void inode_destroy(struct inode *inode);

int inode_getattr(struct inode *inode, struct kstat *ret);
/* What the inode itself has, under its lock: for getattr operations. */
void inode_stat(const struct inode *inode, struct kstat *ret);
/* Size, links and times of another inode, for one that nobody else has yet; the rest is
 * inode_init's. */
void inode_adopt_stat(struct inode *inode, const struct kstat *st);
int inode_setattr(struct inode *inode, const struct iattr *attr);
/* What setattr of an in-memory file system does with everything except ATTR_SIZE. */
void inode_setattr_copy(struct inode *inode, const struct iattr *attr);
void inode_touch(struct inode *inode, bool atime, bool mtime); /* ctime goes with mtime */
void inode_touch_ctime(struct inode *inode);

#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
/* Permission check for the process's file-system identity; `real` uses real ids (access(2)). */
[[nodiscard]] int inode_permission(struct inode *inode, uint32_t may, bool real);
bool inode_owner_or_capable(const struct inode *inode);
bool capable_root(void); /* the process's view: uid 0 may everything */
bool in_group(uint32_t gid);

/* A fresh device number for an anonymous superblock. */
uint64_t super_new_dev(void);
/* When nothing refers to the file system any more (tests; start-up that failed half-way). */
void super_free(struct superblock *sb);
struct superblock *super_alloc(const char *type, const struct super_ops *ops, uint32_t flags);
