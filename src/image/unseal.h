/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Opens sealed images for a data owner who holds the key: whole check, plain EROFS, unpacked tree.
 */

#include "image/sealed_file.h"
#include "seal/erofs.h"

#define IMG_UNPACK_DEPTH_MAX 600u /* directories inside each other; bounds open descriptors */

/* The EROFS inside an open sealed file. `fs` borrows `f`. */
[[nodiscard]] int sealed_file_erofs(struct sealed_file *f, struct erofs *fs, struct error **err);

struct img_verify_result {
    uint64_t inodes;
    uint64_t file_bytes;
};

/* Reads and verifies everything: tree, tags, every block, then every directory and attribute of the
 * file system. Without a key only tree and tags can be checked, and `ret` stays zero. */
[[nodiscard]] int img_verify(struct sealed_file *f, bool with_key, struct img_verify_result *ret,
                             struct error **err);

/* Writes the plain EROFS image (0600); it appears complete or not at all. */
[[nodiscard]] int img_unseal_erofs(struct sealed_file *f, const char *path, struct error **err);

struct img_unpack_result {
    uint64_t entries;
    uint64_t not_owned;   /* owners that could not be set: not root */
    uint64_t not_made;    /* devices that could not be made: not root */
    uint64_t xattrs_lost; /* attributes the file system or the lack of root refused */
};

/* Unpacks into a directory that must not exist yet. */
[[nodiscard]] int img_unseal_dir(struct sealed_file *f, const char *path,
                                 struct img_unpack_result *ret, struct error **err);
