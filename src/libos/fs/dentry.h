/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Names: the dentry cache, mounts and path walking. One lock, the namespace lock, covers them all;
 * it is taken by the functions here unless their comment says that the caller holds it.
 *
 * A cached dentry may be negative (inode == NULL: the name is known not to exist). Unused dentries
 * stay cached up to DCACHE_MAX and go least recently used first.
 */

#include "libos/fs/inode.h"

#define DCACHE_MAX   65536u
#define MAX_SYMLINKS 40
#define NAME_LEN_MAX 255u

struct mount;

struct dentry {
    uint32_t refs; /* under the namespace lock, except the fast way of path_put */
    uint32_t hash;
    struct dentry *parent; /* a reference; itself at a root */
    struct inode *inode;   /* a reference; NULL: negative */
    struct superblock *sb;
    struct mount *mounted;    /* a mount covers this directory */
    struct dentry *hash_next; /* in the hash table while the name is valid */
    struct list lru;          /* while refs == 0 */
    bool hashed;
    uint32_t name_len;
    char *name; /* points to `short_name` when it fits */
    char short_name[40];
};

#define MOUNT_NAME_MAX 64
struct mount {
    struct list node;
    struct superblock *sb;
    struct dentry *root;
    struct mount *parent; /* NULL for the first */
    struct dentry *mountpoint;
    uint32_t flags; /* SB_RDONLY … in addition to the superblock's */
    int id;
    char source[MOUNT_NAME_MAX];
};

struct path {
    struct mount *mnt;
    struct dentry *dentry; /* a reference in paths handed out */
};

/* May be taken again by its holder. */
void ns_lock(void);
void ns_unlock(void);

void path_get(const struct path *p);
void path_put(struct path *p); /* empties it; harmless when empty */
static inline struct inode *path_inode(const struct path *p)
{
    return p->dentry->inode;
}
static inline bool path_equal(const struct path *a, const struct path *b)
{
    return a->mnt == b->mnt && a->dentry == b->dentry;
}

#define LOOKUP_FOLLOW        0x001u /* follow a symlink at the end */
#define LOOKUP_DIRECTORY     0x002u /* the end must be a directory */
#define LOOKUP_EMPTY         0x004u /* "" names the directory descriptor itself */
#define LOOKUP_NO_SYMLINKS   0x008u /* RESOLVE_NO_SYMLINKS */
#define LOOKUP_NO_MAGICLINKS 0x010u
#define LOOKUP_NO_XDEV       0x020u
#define LOOKUP_BENEATH       0x040u
#define LOOKUP_IN_ROOT       0x080u

/* Resolves a path to an existing object. `ret` gets references. */
[[nodiscard]] int path_lookup(int dirfd, const char *name, uint32_t flags, struct path *ret);

/* The directory and last component of a path whose last component need not exist. Between
 * path_parent_begin and _end the namespace lock is held. */
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct name_walk {
    struct path root;  /* where absolute links and ".." stop */
    struct path cur;   /* the directory; borrowed under the lock */
    struct path start; /* RESOLVE_BENEATH, RESOLVE_IN_ROOT: the limit */
    const char *rest;  /* not yet walked */
    struct qstr last;
    enum last_type type;
    bool trailing_slash;
    uint32_t flags;
    int links;
    char *buffer;     /* a symlink's text and what followed it */
    struct path held; /* a reference that keeps `cur` alive when a magic link led there */
};
[[nodiscard]] int path_parent_begin(struct name_walk *w, int dirfd, const char *name,
                                    uint32_t flags);
/* The dentry of w->last in w->cur, possibly negative; borrowed under the lock. LAST_NORM only. */
[[nodiscard]] int path_child(struct name_walk *w, struct dentry **ret);
/* The last component is the symlink `link`: goes through it to a new parent and last component. */
[[nodiscard]] int path_follow_last(struct name_walk *w, struct dentry *link);
void path_parent_end(struct name_walk *w);

/* Under the namespace lock: the dentry of a name, from the cache or the file system. A borrowed
 * pointer that stays valid while the lock is held. */
[[nodiscard]] int dentry_lookup(struct dentry *dir, const struct qstr *name, struct dentry **ret);
/* Under the lock: makes a negative dentry positive; takes over the inode reference. */
void dentry_fill(struct dentry *d, struct inode *inode);
/* Under the lock: the name went away. The dentry becomes negative, or unhashed while in use. */
void dentry_gone(struct dentry *d);
/* Under the lock: d is now called `name` in `dir`. */
[[nodiscard]] int dentry_move(struct dentry *d, struct dentry *dir, const struct qstr *name);
void dentry_swap(struct dentry *a, struct dentry *b);
bool dentry_is_ancestor(const struct dentry *d, const struct dentry *of);
/* A dentry without a name in the tree (O_TMPFILE, memfd, pipes): hands out one reference, takes
 * over the caller's reference of the inode. */
[[nodiscard]] int dentry_anonymous(struct inode *inode, const char *name, struct dentry **ret);
/* Drops every unused dentry of a file system or, with NULL, of all. */
void dcache_shrink(struct superblock *sb);

/* The text of a path as seen from `root`, written to the end of `buf`; *ret points into it. With
 * ` (deleted)` when it was removed. -ENAMETOOLONG; -ENOENT when unreachable and `strict`. */
[[nodiscard]] int path_text(const struct path *p, const struct path *root, bool strict, char *buf,
                            size_t size, char **ret);

/* Mounts. The first one becomes the root of everything. `source` is for /proc/mounts. */
[[nodiscard]] int mount_add(const char *where, struct superblock *sb, uint32_t flags,
                            const char *source);
struct path mount_root_path(void); /* borrowed */
/* Calls `f` for each mount with the namespace lock held. */
void mount_for_each(void (*f)(const struct mount *m, void *arg), void *arg);
void mount_for_each_writable(void (*f)(struct mount *m, void *arg), void *arg); /* `m` may change */
bool mount_read_only(const struct mount *m);
/* The agent's files give way to the application's: the tree becomes empty, the next mount_add makes
 * a new root. What is open of the old one stays usable until it is closed; the file systems
 * themselves (two small ones) stay in memory. Root and working directory of the process must not
 * lie in it (fs_forget_paths). */
void mount_forget_all(void);
/* For tests: forgets all names and mounts. */
void namespace_reset(void);
