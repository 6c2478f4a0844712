/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The flattened image: names, attributes and where each file's bytes come from, but never the
 * bytes. Compact, because it is what bounds a conversion's memory: about 150 bytes a file. Entries
 * and inodes are numbers into two arrays; names, link targets and attributes lie in one arena.
 */

#include "base/error.h"

#define IMG_NONE UINT32_MAX

/* Hard limits; each has a test that meets it. */
#define IMG_ENTRIES_MAX    1000000u /* names in one image */
#define IMG_NAME_MAX       255u     /* bytes of one path component */
#define IMG_PATH_MAX       4095u    /* bytes of one path or link target */
#define IMG_DEPTH_MAX      512u     /* directories inside each other */
#define IMG_LAYERS_MAX     512u
#define IMG_LINKS_MAX      40u     /* symbolic links followed for one path, as Linux */
#define IMG_XATTR_SIZE_MAX 65535u  /* bytes of one value: what EROFS can hold */
#define IMG_XATTRS_MAX     131072u /* bytes of all attributes of one file, as stored */
#define IMG_ARENA_MAX      0xf0000000u

/* One name in a directory. */
struct img_entry {
    uint32_t parent; /* entry of the directory; the root is its own parent */
    uint32_t first;  /* directories: first child, or IMG_NONE */
    uint32_t prev;   /* neighbours in the directory */
    uint32_t next;
    uint32_t hash_next;
    uint32_t inode;
    uint32_t name;  /* arena offset */
    uint16_t layer; /* last layer that gave this name, or something below it */
    uint8_t name_size;
    uint8_t mark; /* for whoever works on a finished tree; 0 to begin with */
};

/* One file. Hard links are entries that share one. */
struct img_inode {
    uint64_t size; /* regular files: bytes; symbolic links: length of the target */
    uint64_t nid;  /* set by the EROFS plan */
    int64_t mtime;
    uint32_t mtime_nsec;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t rdev;       /* the kernel's new encoding */
    uint32_t links;      /* names of this file */
    uint32_t xattrs;     /* arena offset of packed attributes (img_xattrs), IMG_NONE */
    uint32_t xattr_size; /* bytes of them as EROFS stores them, header included; 0 */
    uint32_t target;     /* symbolic links: arena offset; directories: their entry */
    uint32_t source;     /* regular files: number of the tar entry in its layer */
    uint32_t holes;      /* arena offset of a bitmap, bit set: chunk has data; IMG_NONE: no holes */
    uint32_t blkaddr;    /* set by the EROFS plan */
    uint16_t layer;      /* regular files: layer of `source` */
    uint8_t chunk_bits;  /* chunks of 4 KiB << chunk_bits, when holes != IMG_NONE */
    uint8_t layout;      /* enum erofs_layout, set by the EROFS plan */
};

struct img_tree {
    struct img_entry *entries;
    struct img_inode *inodes;
    uint32_t entry_count; /* slots used, free ones included */
    uint32_t inode_count;
    uint32_t entry_cap;
    uint32_t inode_cap;
    uint32_t free_entries; /* chain through `next` */
    uint32_t free_inodes;  /* chain through `target` */
    uint32_t live_entries;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    uint64_t hash_seed;    /* random: names come from strangers */
    uint8_t *arena;
    size_t arena_size;
    size_t arena_cap;
};

#define IMG_ROOT 0u /* the root directory's entry, and its inode */

[[nodiscard]] int img_tree_init(struct img_tree *t, struct error **err);
void img_tree_done(struct img_tree *t);
#define _cleanup_img_tree_ _cleanup_(img_tree_done)

static inline struct img_entry *img_entry_at(const struct img_tree *t, uint32_t e)
{
    return &t->entries[e];
}
static inline struct img_inode *img_inode_of(const struct img_tree *t, uint32_t e)
{
    return &t->inodes[t->entries[e].inode];
}
static inline const uint8_t *img_arena(const struct img_tree *t, uint32_t offset)
{
    return t->arena + offset;
}
static inline bool img_is_dir(const struct img_inode *i)
{
    return (i->mode & 0170000u) == 0040000u;
}
static inline bool img_is_reg(const struct img_inode *i)
{
    return (i->mode & 0170000u) == 0100000u;
}
static inline bool img_is_lnk(const struct img_inode *i)
{
    return (i->mode & 0170000u) == 0120000u;
}

/* Memory it takes, about: room that was not touched yet takes none. */
uint64_t img_tree_bytes(const struct img_tree *t);

/* The child of that name, or IMG_NONE. */
uint32_t img_tree_child(const struct img_tree *t, uint32_t dir, const char *name, size_t name_size);

/* Copies bytes into the arena. -ENOSPC with a message above IMG_ARENA_MAX. */
[[nodiscard]] int img_tree_store(struct img_tree *t, const void *data, size_t size,
                                 uint32_t *ret_offset, struct error **err);

/* Makes an inode with one name short of its first (links 0). */
[[nodiscard]] int img_tree_new_inode(struct img_tree *t, uint32_t mode, uint32_t *ret,
                                     struct error **err);

/* Adds a name for an inode to a directory that does not have it yet. */
[[nodiscard]] int img_tree_link(struct img_tree *t, uint32_t dir, const char *name,
                                size_t name_size, uint32_t inode, uint16_t layer, uint32_t *ret,
                                struct error **err);

/* Removes a name, with everything below it when it is a directory. Never the root. */
void img_tree_unlink(struct img_tree *t, uint32_t entry);

/* Removes what lies below `dir` and was not given by `layer`: an opaque directory. */
void img_tree_make_opaque(struct img_tree *t, uint32_t dir, uint16_t layer);

/* Marks an entry and the directories above it as given by `layer`. */
void img_tree_touch(struct img_tree *t, uint32_t entry, uint16_t layer);

/* Sorts the names of every directory bytewise. */
[[nodiscard]] int img_tree_sort(struct img_tree *t, struct error **err);

/* The entry after `e` in preorder (directories before what they hold), or IMG_NONE. */
uint32_t img_tree_next(const struct img_tree *t, uint32_t e);

/* Path of an entry for messages: "usr/bin/x", "." for the root. Malloc'd, or NULL. */
char *img_tree_path(const struct img_tree *t, uint32_t entry);

/* Extended attributes while they are collected: packed as (u8 prefix index, u8 name length, u16
 * value size, name, value) one after the other, sorted, so that equal sets have equal bytes. */
struct img_xattrs {
    uint8_t *data;
    size_t size;
    size_t cap;
    uint32_t skipped; /* attributes whose prefix Linux file systems do not have */
};

void img_xattrs_done(struct img_xattrs *x);
#define _cleanup_img_xattrs_ _cleanup_(img_xattrs_done)
/* Adds one; the same name again replaces the value. */
[[nodiscard]] int img_xattrs_add(struct img_xattrs *x, const char *name, const void *value,
                                 size_t value_size, struct error **err);
/* Copies the set an inode has. */
[[nodiscard]] int img_xattrs_load(const struct img_tree *t, uint32_t inode, struct img_xattrs *ret,
                                  struct error **err);
/* Stores the set with an inode. */
[[nodiscard]] int img_xattrs_store(struct img_tree *t, struct img_xattrs *x, uint32_t inode,
                                   struct error **err);
