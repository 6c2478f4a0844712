/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Reads file contents of a flattened tree out of the layers: many files in one pass, in the order
 * in which the layers have them. Layers none of the files are in are not touched, and a layer is
 * left where its last file ends, so its digest is not checked again: for looking at an image, and
 * for copying together with a later pass that checks.
 */

#include "image/seal_image.h"

struct img_fetch {
    const struct img_source *source;
    const struct img_tree *tree;
    uint64_t unpacked_max; /* as img_seal_options */
    struct img_progress progress;
    /* A file begins, goes on (`p` NULL: zeros), and ends. Each inode comes once. */
    int (*begin)(void *ctx, uint32_t inode, struct error **err);
    int (*data)(void *ctx, const uint8_t *p, uint64_t size, struct error **err);
    int (*end)(void *ctx, uint32_t inode, struct error **err);
    void *ctx;
};

/* `inodes` are numbers of regular files; the array is sorted here. Empty files come first. */
[[nodiscard]] int img_fetch(const struct img_fetch *f, uint32_t *inodes, size_t count,
                            struct error **err);

/* One file into a scratch file of TMPDIR; *ret_fd is the caller's. */
[[nodiscard]] int img_fetch_one(const struct img_source *source, const struct img_tree *tree,
                                uint64_t unpacked_max, uint32_t inode, int *ret_fd,
                                struct error **err);

/* A scratch file without a name in TMPDIR. */
[[nodiscard]] int img_scratch(int *ret_fd, struct error **err);
