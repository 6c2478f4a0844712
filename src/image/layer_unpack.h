/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The first half of a layer stream: takes a blob, decompresses it, and watches the amount that
 * comes out. layer_stream.c runs it in a thread of its own. */

#include "image/layer_stream.h"

struct layer_unpack;

[[nodiscard]] int layer_unpack_open(const struct img_layer *layer, struct img_budget *budget,
                                    const struct img_progress *progress, struct layer_unpack **ret,
                                    struct error **err);
struct layer_unpack *layer_unpack_free(struct layer_unpack *s);
static inline void layer_unpack_freep(struct layer_unpack **s)
{
    *s = layer_unpack_free(*s);
}
#define _cleanup_layer_unpack_ _cleanup_(layer_unpack_freep)

/* Up to `cap` unpacked bytes; *ret_size is 0 at the end, when the whole region was read. */
[[nodiscard]] int layer_unpack_read(struct layer_unpack *s, uint8_t *dst, size_t cap,
                                    size_t *ret_size, struct error **err);

/* What the decompressor takes beyond a few hundred KiB: a zstd window, as the layer asks for it. */
uint64_t layer_unpack_memory(const struct layer_unpack *s);

/* Where a reading stands: position, digest, decompressor. */
struct layer_rest;

/* NULL when it cannot be had: a zstd decompressor does not let itself be copied. */
struct layer_rest *layer_unpack_rest(struct layer_unpack *s);
struct layer_rest *layer_rest_free(struct layer_rest *rest);
/* Goes on where `rest` (borrowed, must outlive) was taken, any number of times. What was read
 * before counts in the digest. */
[[nodiscard]] int layer_unpack_resume(const struct img_layer *layer, const struct layer_rest *rest,
                                      struct img_budget *budget,
                                      const struct img_progress *progress,
                                      struct layer_unpack **ret, struct error **err);

/* The SHA-256 of the region, once it was read to its end. */
void layer_unpack_digest(struct layer_unpack *s, uint8_t ret[static SHA256_SIZE]);
