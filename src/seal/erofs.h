/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Reads an uncompressed EROFS image through the caller's block cache. Freestanding, no allocation,
 * no recursion; every loop is bounded by sizes that were checked against the image. The image comes
 * out of a verified seal, and is treated as hostile all the same: any structure that contradicts
 * itself is -EUCLEAN, never a read out of bounds.
 *
 * Any number of threads may read at once when the callbacks allow it: the structures here are not
 * changed after erofs_open() and erofs_inode_read().
 */

#include "seal/erofs_format.h"

struct erofs_io {
    /* Gives the 4096 bytes of a block, which stay valid and unchanged until `put`. Returns -Exxx on
     * failure. Never asked for blocks outside the image. */
    int (*get)(void *ctx, uint64_t block, const uint8_t **ret_data);
    /* May be NULL when blocks stay valid for as long as the image is open. */
    void (*put)(void *ctx, uint64_t block, const uint8_t *data);
};

struct erofs {
    const struct erofs_io *io;
    void *ctx;
    uint64_t block_count;
    uint64_t meta_offset;  /* bytes; what nids count from */
    uint64_t xattr_offset; /* bytes; what shared xattr ids count from */
    uint64_t root_nid;
    uint64_t inode_count;
    int64_t build_time; /* the time of compact inodes */
    uint32_t build_time_nsec;
};

struct erofs_inode {
    uint64_t nid;
    uint64_t size;
    int64_t mtime;
    uint32_t mtime_nsec;
    uint32_t mode; /* type and permissions, as st_mode */
    uint32_t uid;
    uint32_t gid;
    uint32_t nlink;
    uint32_t ino;
    uint32_t rdev; /* the kernel's new encoding; see erofs_rdev_major/minor */
    uint32_t blkaddr;
    uint32_t xattr_size; /* bytes of the xattr area, 0 when there is none */
    enum erofs_layout layout;
    uint32_t chunk_shift;  /* log2 of the chunk size in bytes */
    uint32_t chunk_entry;  /* bytes per map entry: 4 or 8 */
    uint64_t xattr_offset; /* bytes into the image */
    uint64_t body_offset;  /* bytes into the image: inline tail or chunk map */
};

static inline uint32_t erofs_rdev_major(uint32_t rdev)
{
    return (rdev & 0xfff00u) >> 8;
}

static inline uint32_t erofs_rdev_minor(uint32_t rdev)
{
    return (rdev & 0xffu) | (rdev >> 12 & 0xfff00u);
}

/* Reads the superblock. `block_count` is the size of the image as the seal vouches for it. -EUCLEAN
 * for a damaged superblock, -EOPNOTSUPP for features not read here (compression, extra devices). */
[[nodiscard]] int erofs_open(struct erofs *fs, const struct erofs_io *io, void *ctx,
                             uint64_t block_count);

[[nodiscard]] int erofs_inode_read(const struct erofs *fs, uint64_t nid, struct erofs_inode *ret);

/* Finds a name by bisection: log2(blocks) + 1 block reads. -ENOENT, -ENOTDIR, -ENAMETOOLONG. */
[[nodiscard]] int erofs_lookup(const struct erofs *fs, const struct erofs_inode *dir,
                               const char *name, size_t name_size, uint64_t *ret_nid,
                               enum erofs_file_type *ret_type);

struct erofs_entry {
    uint64_t nid;
    enum erofs_file_type type;
    size_t name_size;
    char name[EROFS_NAME_MAX + 1]; /* NUL-terminated */
};

/* Gives the entry at *pos and advances it; start with 0; positions stay valid for ever, so they can
 * serve as directory offsets. 1 with an entry, 0 at the end. "." and ".." come in name order. */
[[nodiscard]] int erofs_readdir(const struct erofs *fs, const struct erofs_inode *dir,
                                uint64_t *pos, struct erofs_entry *ret);

/* Where bytes of a file lie: `length` bytes from `offset` on, contiguous in the image. */
struct erofs_extent {
    uint64_t length; /* 0 at and behind the end of the file */
    uint64_t image;  /* byte offset in the image, when not a hole */
    bool hole;
};

[[nodiscard]] int erofs_map(const struct erofs *fs, const struct erofs_inode *inode,
                            uint64_t offset, struct erofs_extent *ret);

/* Reads up to `size` bytes; *ret_size is short only at the end of the file. */
[[nodiscard]] int erofs_read(const struct erofs *fs, const struct erofs_inode *inode,
                             uint64_t offset, void *dst, size_t size, size_t *ret_size);

#define EROFS_SYMLINK_MAX 4095u

/* Copies the target (no NUL) and gives its length; the buffer may be shorter than the target, as
 * with readlink(2). A target that is empty, too long or holds a NUL is -EUCLEAN. */
[[nodiscard]] int erofs_readlink(const struct erofs *fs, const struct erofs_inode *inode, char *dst,
                                 size_t size, size_t *ret_size);

#define EROFS_XATTR_NAME_MAX 255u

struct erofs_xattr {
    size_t name_size;
    char name[EROFS_XATTR_NAME_MAX + 1]; /* with its prefix, NUL-terminated */
    uint32_t value_size;
    uint64_t value; /* byte offset in the image */
};

/* Gives the attribute at *pos and advances it; start with 0. 1 with an attribute, 0 at the end. */
[[nodiscard]] int erofs_xattr_next(const struct erofs *fs, const struct erofs_inode *inode,
                                   uint64_t *pos, struct erofs_xattr *ret);

/* Copies a value; *ret_size is its size. `size` 0 asks for the size alone. -ENODATA, -ERANGE. */
[[nodiscard]] int erofs_xattr_get(const struct erofs *fs, const struct erofs_inode *inode,
                                  const char *name, void *dst, size_t size, size_t *ret_size);

/* Copies bytes of the image, across blocks. */
[[nodiscard]] int erofs_pread(const struct erofs *fs, uint64_t offset, void *dst, size_t size);

uint32_t erofs_crc32c(uint32_t crc, const void *data, size_t size);
