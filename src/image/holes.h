/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Finds the empty parts of large files while their bytes pass by. Image builders write sparse files
 * out as zeros, so what counts is the content, not the tar's sparse map. Memory: one bit a chunk.
 */

#include "image/tree.h"

#define IMG_SPARSE_MIN (128u * 1024) /* smaller files are never looked at */
#define IMG_CHUNKS_MAX 16384u        /* chunks of a file grow so that there are no more */

struct img_holes {
    uint64_t size;
    uint64_t at;
    uint8_t chunk_bits;
    uint8_t *bitmap; /* bit set: the chunk has data */
    size_t bitmap_cap;
    uint64_t present; /* chunks with data */
};

void img_holes_done(struct img_holes *h);
#define _cleanup_img_holes_ _cleanup_(img_holes_done)

/* log2(chunk size / 4 KiB) for a file of that size. */
uint8_t img_chunk_bits(uint64_t size);

[[nodiscard]] int img_holes_begin(struct img_holes *h, uint64_t size, struct error **err);
/* The next bytes of the file. `data` NULL means zeros. Bytes behind `size` are ignored. */
void img_holes_data(struct img_holes *h, const void *data, uint64_t size);
/* Stores the map with the inode when it saves at least an eighth of the file. */
[[nodiscard]] int img_holes_end(struct img_holes *h, struct img_tree *t, uint32_t inode,
                                struct error **err);

bool img_is_zero(const void *p, size_t size);
