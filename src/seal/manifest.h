/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Reads and writes the manifest (abi/manifest_format.h). Freestanding, no allocation. */

#include "abi/manifest_format.h"
#include "core/cursor.h"

/* A manifest that was checked whole; borrows its bytes. */
struct manifest {
    struct manifest_header header;
    struct cursor names;  /* for manifest_next_name */
    struct cursor mounts; /* for manifest_next_mount */
};

/* -EBADMSG: not a manifest, or not in its one encoding; -EPROTONOSUPPORT: another version or an
 * unknown flag. Trailing bytes are an error. */
[[nodiscard]] int manifest_parse(const void *data, size_t size, struct manifest *ret);

/* 1 with the next entry (NUL-terminated, borrowed), 0 at the end. Start with a copy of the cursor.
 */
int manifest_next_name(struct cursor *names, const char **ret);
int manifest_next_mount(struct cursor *mounts, uint8_t *ret_flags, const char **ret_path);
/* May the host set this variable (size bytes, without "=")? */
bool manifest_allows_name(const struct manifest *m, const char *name, size_t size);

struct manifest_mount {
    const char *path;
    uint8_t flags; /* MANIFEST_MOUNT_* */
};

/* Writes the one encoding of `header` (magic, version, size and counts are filled in) and the
 * lists, which must ascend. -EINVAL when the result would not parse, -ENOSPC when it does not fit.
 */
[[nodiscard]] int manifest_encode(const struct manifest_header *header, const char *const *names,
                                  size_t name_count, const struct manifest_mount *mounts,
                                  size_t mount_count, uint8_t *dst, size_t cap, size_t *ret_size);
