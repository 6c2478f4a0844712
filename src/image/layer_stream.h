/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A layer's bytes: read from a region of a file, digested, decompressed, digested again. What comes
 * out may be used before the digests are known to be right, so nothing derived from it counts until
 * layer_stream_finish() returned 0.
 */

#include "core/sha256.h"
#include "image/sink.h"

/*
 * A gzip layer can grow 1032-fold at most, and only when it is all zeros; a layer that grows more
 * is taken for a bomb, unless it stays below IMG_RATIO_FREE or the caller named a size he wants.
 * Zeros cost nothing but time here, so there is room for a large sparse file in a zstd layer.
 */
#define IMG_RATIO_MAX    1100u
#define IMG_RATIO_FREE   (16ull << 30)
/* Unpacked size of all layers together, unless the caller says otherwise. */
#define IMG_UNPACKED_MAX (512ull << 30)

/* What may still come out of all layers together. Counted down. */
struct img_budget {
    uint64_t left;
    uint64_t ratio_free; /* output of one layer below which its ratio does not matter */
};

/* `unpacked_max` as a person gave it; 0: the defaults. */
static inline struct img_budget img_budget_make(uint64_t unpacked_max)
{
    return unpacked_max == 0
               ? (struct img_budget){.left = IMG_UNPACKED_MAX, .ratio_free = IMG_RATIO_FREE}
               : (struct img_budget){.left = unpacked_max, .ratio_free = UINT64_MAX};
}

struct img_region {
    int fd; /* borrowed */
    uint64_t offset;
    uint64_t size;
};

struct img_layer {
    struct img_region region;
    uint8_t digest[SHA256_SIZE];  /* of the region */
    uint8_t diff_id[SHA256_SIZE]; /* of the tar inside */
    bool has_digest;
    bool has_diff_id;
    char name[80]; /* for messages: "layer 2 (sha256:…)" */
};

/* Told the bytes consumed since the last call. */
struct img_progress {
    void (*report)(void *ctx, uint64_t bytes); /* NULL: silent */
    void *ctx;
};

struct layer_keep;
struct layer_stream;

/* `layer`, `budget` and `progress` are borrowed; progress is reported from another thread. Without
 * `check_diff_id` the unpacked layer is digested only if there is no digest of the blob: for a
 * second reading of what was checked in full before. */
[[nodiscard]] int layer_stream_open(const struct img_layer *layer, struct img_budget *budget,
                                    const struct img_progress *progress, bool check_diff_id,
                                    struct layer_stream **ret, struct error **err);

/* The two readings of a layer whose bytes are wanted twice. The first checks every digest, and
 * keeps in `keep` (borrowed; NULL: nothing) what there is room for. The second, once, takes what is
 * kept, which is what was checked, lets go of it on the way, and reads only the rest: the digest of
 * the blob goes on where it stood. */
[[nodiscard]] int layer_stream_open_first(const struct img_layer *layer, uint16_t number,
                                          struct layer_keep *keep, struct img_budget *budget,
                                          const struct img_progress *progress,
                                          struct layer_stream **ret, struct error **err);
[[nodiscard]] int layer_stream_open_second(const struct img_layer *layer, uint16_t number,
                                           struct layer_keep *keep, struct img_budget *budget,
                                           const struct img_progress *progress,
                                           struct layer_stream **ret, struct error **err);

/* First reading: how much memory the tree takes by now. What is kept makes way for it; -EFBIG when
 * that is not enough. */
[[nodiscard]] int layer_stream_tree(struct layer_stream *s, uint64_t bytes, struct error **err);

struct layer_stream *layer_stream_free(struct layer_stream *s);
static inline void layer_stream_freep(struct layer_stream **s)
{
    *s = layer_stream_free(*s);
}
#define _cleanup_layer_stream_ _cleanup_(layer_stream_freep)

/* Gives the next piece, borrowed until the next call; *ret_size is 0 at the end. */
[[nodiscard]] int layer_stream_read(struct layer_stream *s, const uint8_t **ret, size_t *ret_size,
                                    struct error **err);

/* Reads what is left and compares the digests. -EBADMSG. */
[[nodiscard]] int layer_stream_finish(struct layer_stream *s, struct error **err);
