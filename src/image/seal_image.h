/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Container image in, sealed image out, as a stream: the layers are read once to learn names and
 * sizes (and to check every digest) and once more for the data, which goes straight through the
 * EROFS writer into the seal. What the first reading unpacked is kept in memory as far as its bound
 * allows (layer_keep.h), and not unpacked again. No root, no unpacked copy on disk.
 */

#include "image/flatten.h"
#include "image/source.h"
#include "seal/seal.h"

struct img_seal_options {
    const uint8_t *master; /* SEALED_KEY_SIZE bytes; NULL: random, and forgotten afterwards */
    const uint8_t *salt;   /* SEALED_SALT_SIZE bytes; NULL: random */
    uint64_t unpacked_max; /* bytes all layers may unpack to; 0: IMG_UNPACKED_MAX */
    uint64_t keep_max; /* bytes kept between the readings, the tree included; 0: LAYER_MEMORY_MAX */
    struct img_progress progress; /* told bytes of blobs, twice over all layers */
    /* Given the sealing key when all data is written and before the image gets its name, so that no
     * image appears whose key is lost. A failure drops the image. NULL: not called. */
    int (*key_ready)(void *ctx, const uint8_t key[static SEALED_KEY_SIZE], struct error **err);
    void *key_ctx;
    /* Called with the flattened tree before it is laid out: may look at it and take names away. */
    int (*shape)(void *ctx, const struct img_source *source, struct img_tree *t,
                 struct error **err);
    void *shape_ctx;
    bool scratch; /* `path` says only beside what: the image gets no name, ret->fd has it */
};

struct img_seal_result {
    int fd; /* options.scratch: the sealed image, the caller's to close; else -1 */
    uint8_t salt[SEALED_SALT_SIZE];
    uint8_t root[SEALED_HASH_SIZE];
    uint64_t names;
    uint64_t file_bytes; /* of regular files, holes included */
    uint64_t block_count;
    struct img_flatten_stats stats;
};

/* Builds the tree of all layers. */
[[nodiscard]] int img_flatten(const struct img_source *source, uint64_t unpacked_max,
                              const struct img_progress *progress, struct img_tree *t,
                              struct img_flatten_stats *stats, struct error **err);

/* Seals into `path`, which appears complete or not at all. */
[[nodiscard]] int img_seal(const struct img_source *source, const char *path,
                           const struct img_seal_options *options, struct img_seal_result *ret,
                           struct error **err);
