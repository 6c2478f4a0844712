/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What the first reading of the layers unpacked, as far as a bound of memory allows, so that the
 * second reading need not unpack it again: of each layer its beginning, and where unpacking goes on
 * behind it. The tree of names grows in the same memory and goes first: when both together pass the
 * bound, everything kept is let go, and the second reading reads it all.
 *
 * A layer's producer thread adds; everything else is for the thread that reads the layers, which
 * works on one layer at a time.
 */

#include "base/error.h"

/* The tree and what is kept, together; the rule is 256 MiB for all of a conversion. */
#define LAYER_KEEP_MAX ((uint64_t)176 << 20)

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

/* Keeps up to `max` bytes, the tree included (0: LAYER_KEEP_MAX), of `layers` layers. */
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

/* What the tree takes by now. True: together they pass the bound, no more room is given, and
 * layer_keep_drop() is due as soon as nobody uses a piece. */
bool layer_keep_charge(struct layer_keep *k, uint64_t tree_bytes);
void layer_keep_drop(struct layer_keep *k);

/* Producer: room for the next piece, *ret_cap bytes of it; NULL: no more. */
uint8_t *layer_keep_room(struct layer_keep *k, size_t *ret_cap);
/* Producer: the room given last was filled with `size` bytes of that layer. */
[[nodiscard]] int layer_keep_add(struct layer_keep *k, struct kept_layer *l, size_t size);
