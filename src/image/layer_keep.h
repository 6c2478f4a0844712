/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the first reading of the layers unpacked, as far as a bound of memory allows, so that the
 * second reading need not unpack it again: of each layer its beginning, and where unpacking goes on
 * behind it. The tree of names and a decompressor that needs much take of the same memory and go
 * first: when all together pass the bound, everything kept is let go, and the second reading reads
 * it all. An image whose names alone pass it is refused.
 *
 * A layer's producer thread adds; everything else is for the thread that reads the layers, which
 * works on one layer at a time.
 */

#include "base/error.h"

/* All of that together; the rule is 256 MiB for all of a conversion. */
#define LAYER_MEMORY_MAX ((uint64_t)218 << 20)

struct layer_rest;

struct kept_piece {
    const uint8_t *data;
    size_t size;
};

struct kept_layer {
    struct kept_piece *pieces;
    size_t count;
    size_t room;
    struct layer_rest *rest; /* where reading goes on; NULL: the pieces are all of it */
    bool complete;           /* nothing more can come: `rest` is set, or not needed */
    bool checked;            /* the first reading found its digests right */
};

struct layer_keep;

/* Keeps up to `max` bytes, all included (0: LAYER_MEMORY_MAX), of `layers` layers. */
[[nodiscard]] int layer_keep_new(uint64_t max, size_t layers, struct layer_keep **ret,
                                 struct error **err);
struct layer_keep *layer_keep_free(struct layer_keep *k);
static inline void layer_keep_freep(struct layer_keep **k)
{
    *k = layer_keep_free(*k);
}
#define _cleanup_layer_keep_ _cleanup_(layer_keep_freep)

/* Layers are numbered from 1, as everywhere. */
struct kept_layer *layer_keep_layer(struct layer_keep *k, uint16_t number);

/* What the tree takes by now. -EFBIG: it has no room even alone. */
[[nodiscard]] int layer_keep_tree(struct layer_keep *k, uint64_t bytes, struct error **err);
/* True: all together pass the bound, no more room is given, and layer_keep_drop() is due as soon as
 * nobody uses a piece. */
bool layer_keep_over(const struct layer_keep *k);
void layer_keep_drop(struct layer_keep *k);

/* Second reading: everything in front of that piece was used, and its memory is let go: what is
 * written meanwhile needs as much. */
void layer_keep_release(struct layer_keep *k, const uint8_t *piece);

/* Producer: what the decompressor takes. The most counts, because the layers are read again. */
void layer_keep_unpacker(struct layer_keep *k, uint64_t bytes);
/* Producer: room for the next piece, *ret_cap bytes of it; NULL: no more. */
uint8_t *layer_keep_room(struct layer_keep *k, size_t *ret_cap);
/* Producer: the room given last was filled with `size` bytes of that layer. */
[[nodiscard]] int layer_keep_add(struct layer_keep *k, struct kept_layer *l, size_t size);
