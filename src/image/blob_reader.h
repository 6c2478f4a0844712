/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A layer's blob, read and digested (SHA-256) by a thread of its own ahead of whoever unpacks it:
 * both together cost a third of unpacking. What is digested are the very bytes that are given out,
 * not the file read a second time. Small blobs are read and digested as they are asked for.
 */

#include "image/layer_stream.h"

struct blob_reader;

/* The layer's region from its byte `at` on; `before` is the digest of what lies in front of that,
 * NULL: of nothing. `layer` and `progress` are borrowed. */
[[nodiscard]] int blob_reader_open(const struct img_layer *layer, uint64_t at,
                                   const struct sha256 *before, const struct img_progress *progress,
                                   struct blob_reader **ret, struct error **err);
struct blob_reader *blob_reader_free(struct blob_reader *b);
static inline void blob_reader_freep(struct blob_reader **b)
{
    *b = blob_reader_free(*b);
}
#define _cleanup_blob_reader_ _cleanup_(blob_reader_freep)

/* The next piece, borrowed until the next call; *ret_size is 0 at the region's end. */
[[nodiscard]] int blob_reader_next(struct blob_reader *b, const uint8_t **ret, size_t *ret_size,
                                   struct error **err);

/* The digest up to the end of the piece given last, to go on from there or to be finished. */
void blob_reader_digest(const struct blob_reader *b, struct sha256 *ret);
