/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where the EROFS writer puts finished blocks: a sealed image, or a plain file. */

#include "base/error.h"

#define IMG_BLOCK_SIZE 4096u

struct img_sink {
    /* Stores `count` blocks of IMG_BLOCK_SIZE bytes from number `block` on. Blocks arrive in any
     * order and each exactly once; a second time is -EEXIST. */
    int (*put)(void *ctx, uint64_t block, const uint8_t *data, size_t count, struct error **err);
    void *ctx;
};
