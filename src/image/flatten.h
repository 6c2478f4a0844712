/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Applies layers to a tree, lowest first, as the OCI image specification (layer.md) says: additions
 * replace, ".wh.NAME" removes NAME of the layers below, ".wh..wh..opq" removes everything the
 * layers below put into its directory. Symbolic links in the path of an entry are followed inside
 * the image, as every engine does; what would leave the image is an error.
 */

#include "image/layer_stream.h"
#include "image/tar.h"
#include "image/tree.h"

struct img_flatten_stats {
    uint64_t whiteouts;
    uint64_t xattrs_skipped; /* attributes Linux file systems do not have */
};

/* Reads one layer (numbered from 1) for the first time, and applies it; NULL keeps nothing. */
[[nodiscard]] int img_flatten_layer(struct img_tree *t, const struct img_layer *layer,
                                    uint16_t number, struct layer_keep *keep,
                                    struct img_budget *budget, const struct img_progress *progress,
                                    struct img_flatten_stats *stats, struct error **err);

/* Applies one entry; its data is read for files large enough to be sparse. `source` is its number
 * in the layer. */
[[nodiscard]] int img_flatten_entry(struct img_tree *t, struct tar_reader *tar, struct tar_entry *e,
                                    uint16_t layer, uint32_t source,
                                    struct img_flatten_stats *stats, struct error **err);

/* A name made fit for a terminal: control and non-ASCII bytes as \xNN, at most size - 1 chars. */
const char *img_printable(const char *name, char *dst, size_t size);
