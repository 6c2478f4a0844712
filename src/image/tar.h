/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Reads a tar stream: ustar, pax (POSIX.1-2017 "pax Interchange Format"), GNU long names, base-256
 * numbers, GNU sparse files old and pax 0.0, 0.1, 1.0, extended attributes as SCHILY.xattr and
 * LIBARCHIVE.xattr. Names are bytes and stay bytes: no locale, no conversion. Everything in the
 * stream is foreign; nothing is believed beyond its stated bounds.
 */

#include "image/tree.h"

#define TAR_BLOCK        512u
#define TAR_PAX_MAX      (1024u * 1024) /* bytes of one extended header */
#define TAR_SEGMENTS_MAX 1000000u       /* pieces of one sparse file */

struct tar_segment {
    uint64_t offset;
    uint64_t size;
};

struct tar_entry {
    char type;  /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' dir, '6' fifo */
    char *path; /* NUL-terminated, without NULs inside */
    char *link; /* target of links, or NULL */
    uint32_t mode; /* permission bits only */
    uint32_t uid;
    uint32_t gid;
    uint64_t size; /* of the file, holes included */
    int64_t mtime;
    uint32_t mtime_nsec;
    uint32_t dev_major;
    uint32_t dev_minor;
    struct img_xattrs xattrs;
};

/* Gives the next piece of the stream, at least one byte, or *ret_size = 0 at its end. */
typedef int (*tar_read_fn)(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err);

/* Steps over bytes of the stream. -EBADMSG when it has not that many. */
typedef int (*tar_skip_fn)(void *ctx, uint64_t size, struct error **err);

struct tar_reader;

[[nodiscard]] int tar_reader_new(tar_read_fn read, void *ctx, struct tar_reader **ret,
                                 struct error **err);
struct tar_reader *tar_reader_free(struct tar_reader *t);
static inline void tar_reader_freep(struct tar_reader **t)
{
    *t = tar_reader_free(*t);
}
#define _cleanup_tar_reader_ _cleanup_(tar_reader_freep)

/* Lets the reader step over data it need not see. */
void tar_reader_set_skip(struct tar_reader *t, tar_skip_fn skip);

/* Skips what is left of the entry before and reads the next header. 1 with an entry (borrowed until
 * the next call), 0 at the end of the archive. */
[[nodiscard]] int tar_next(struct tar_reader *t, struct tar_entry **ret, struct error **err);

/* The next bytes of the entry's file, borrowed until the next call; *ret NULL means zeros. 1 with
 * bytes, 0 at the end of the file. */
[[nodiscard]] int tar_data(struct tar_reader *t, const uint8_t **ret, uint64_t *ret_size,
                           struct error **err);

/* Bytes of the archive consumed: of stored data, the position where the entry's data begins. */
uint64_t tar_position(const struct tar_reader *t);
/* Bytes the entry's data takes in the archive (less than `size` for sparse files). */
uint64_t tar_stored_size(const struct tar_reader *t);
