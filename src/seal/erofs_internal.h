/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "seal/erofs.h"

/* Block access that refuses blocks outside the image. */
[[nodiscard]] int erofs_get(const struct erofs *fs, uint64_t block, const uint8_t **ret);
void erofs_put(const struct erofs *fs, uint64_t block, const uint8_t *data);

static inline bool erofs_is_dir(const struct erofs_inode *in)
{
    return (in->mode & 0170000u) == 0040000u;
}
