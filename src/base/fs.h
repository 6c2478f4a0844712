/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "base/error.h"

/* Reads a whole file of at most `max` bytes. The result is malloc'd, NUL-terminated behind its
 * *ret_size bytes, and the caller's. -EFBIG with a message when it is larger. "-" reads stdin. */
[[nodiscard]] int fs_read_file(const char *path, size_t max, uint8_t **ret_data, size_t *ret_size,
                               struct error **err);

/* A whole regular file of 1 to `max` bytes, mapped read-only: nothing is copied, and what is not
 * looked at is not read. For large files of our own; one that is cut short meanwhile kills the
 * reader. */
struct fs_mapping {
    const uint8_t *data;
    size_t size;
};

[[nodiscard]] int fs_map_file(const char *path, size_t max, struct fs_mapping *ret,
                              struct error **err);
/* Harmless on a zeroed one. */
void fs_unmap(struct fs_mapping *m);
#define _cleanup_fs_mapping_ _cleanup_(fs_unmap)

/* Writes a file so that the final name holds either all of it or what it held before: temporary
 * file beside it, fsync, rename, fsync of the directory. "-" writes stdout. */
[[nodiscard]] int fs_write_file_atomic(const char *path, const void *data, size_t size,
                                       unsigned mode, struct error **err);

/* Removes a file, or a directory with all that is in it; links are removed, not followed. Goes on
 * past what cannot be removed and returns the first reason. Nothing there: 0. */
[[nodiscard]] int fs_remove_tree(const char *path);

/* As fs_write_file_atomic, but only when nothing has that name yet: -EEXIST otherwise, decided by
 * the kernel, not by looking first. */
[[nodiscard]] int fs_write_file_new(const char *path, const void *data, size_t size, unsigned mode,
                                    struct error **err);
