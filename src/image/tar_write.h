/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Writes names of a flattened tree as a tar stream (ustar, with pax extended headers where that is
 * too narrow) into a scratch file: a layer of an image that holds what the caller chose. Names and
 * values are bytes and stay what they are. The same tree gives the same bits.
 */

#include "image/seal_image.h"

struct img_tar_options {
    uint64_t unpacked_max;
    struct img_progress progress; /* told bytes of blobs */
    /* Is this name part of the layer? Directories are asked before what they hold. */
    bool (*wants)(void *ctx, const struct img_tree *t, uint32_t entry);
    void *ctx;
};

/* The layer borrows *ret_fd, which is the caller's. *ret_names is 0 when nothing was chosen. */
[[nodiscard]] int img_tar_write(const struct img_source *source, const struct img_tree *t,
                                const struct img_tar_options *o, int *ret_fd,
                                struct img_layer *ret_layer, uint64_t *ret_names,
                                struct error **err);
