/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "image/tar.h"

/* What extended headers said about the next entry. */
struct tar_extra {
    char *path;
    char *link;
    bool has_size, has_uid, has_gid, has_mtime, has_real_size;
    uint64_t size;
    uint64_t real_size;
    uint32_t uid;
    uint32_t gid;
    int64_t mtime;
    uint32_t mtime_nsec;
    struct img_xattrs xattrs;
    bool sparse;       /* GNU.sparse.* seen: 0.x unless major says 1 */
    bool sparse_v1;    /* the map stands in front of the data */
    char *sparse_name; /* the file's real name; path holds a placeholder */
    struct tar_segment *segments;
    size_t segment_count;
    size_t segment_cap;
    bool half_segment; /* an offset waits for its size (format 0.0) */
};

void tar_extra_done(struct tar_extra *x);

/* Parses the records of one extended header into *x. */
[[nodiscard]] int tar_pax_parse(struct tar_extra *x, const uint8_t *data, size_t size,
                                struct error **err);

[[nodiscard]] int tar_add_segment(struct tar_extra *x, uint64_t offset, uint64_t size,
                                  struct error **err);

/* Decimal digits only; the whole text. */
[[nodiscard]] int tar_decimal(const char *s, size_t size, uint64_t *ret);
