/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/holes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/sink.h"

void img_holes_done(struct img_holes *h)
{
    free(h->bitmap);
    *h = (struct img_holes){0};
}

uint8_t img_chunk_bits(uint64_t size)
{
    uint8_t bits = 0;

    while (bits < 31 && size > ((uint64_t)IMG_CHUNKS_MAX * IMG_BLOCK_SIZE) << bits) {
        bits++;
    }
    return bits;
}

bool img_is_zero(const void *p, size_t size)
{
    const uint8_t *b = p;

    while (size >= 64) {
        uint64_t v[8];

        memcpy(v, b, sizeof(v));
        if ((v[0] | v[1] | v[2] | v[3] | v[4] | v[5] | v[6] | v[7]) != 0) {
            return false;
        }
        b += 64;
        size -= 64;
    }
    while (size > 0) {
        if (*b != 0) {
            return false;
        }
        b++;
        size--;
    }
    return true;
}

int img_holes_begin(struct img_holes *h, uint64_t size, struct error **err)
{
    const uint8_t bits = img_chunk_bits(size);
    const uint64_t chunk = (uint64_t)IMG_BLOCK_SIZE << bits;
    const size_t bytes = (size_t)((size + chunk - 1) / chunk + 7) / 8;

    if (bytes > h->bitmap_cap) {
        uint8_t *grown = realloc(h->bitmap, bytes);

        if (grown == NULL) {
            return error_set_errno(err, ENOMEM, "mapping a sparse file");
        }
        h->bitmap = grown;
        h->bitmap_cap = bytes;
    }
    if (bytes > 0) {
        memset(h->bitmap, 0, bytes);
    }
    h->size = size;
    h->at = 0;
    h->present = 0;
    h->chunk_bits = bits;
    return 0;
}

void img_holes_data(struct img_holes *h, const void *data, uint64_t size)
{
    const unsigned shift = 12u + h->chunk_bits;
    const uint8_t *p = data;

    size = MIN(size, h->size - h->at);
    while (size > 0) {
        const uint64_t chunk = h->at >> shift;
        const uint64_t take = MIN(size, ((chunk + 1) << shift) - h->at);
        const uint8_t bit = (uint8_t)(1u << chunk % 8);

        if (p != NULL) {
            if ((h->bitmap[chunk / 8] & bit) == 0 && !img_is_zero(p, (size_t)take)) {
                h->bitmap[chunk / 8] |= bit;
                h->present++;
            }
            p += take;
        }
        h->at += take;
        size -= take;
    }
}

int img_holes_end(struct img_holes *h, struct img_tree *t, uint32_t inode, struct error **err)
{
    const uint64_t chunk = (uint64_t)IMG_BLOCK_SIZE << h->chunk_bits;
    const uint64_t chunks = (h->size + chunk - 1) / chunk;
    uint32_t offset;
    int r;

    if (chunks - h->present < (chunks + 7) / 8) {
        return 0;
    }
    r = img_tree_store(t, h->bitmap, (size_t)(chunks + 7) / 8, &offset, err);
    if (r < 0) {
        return r;
    }
    t->inodes[inode].holes = offset;
    t->inodes[inode].chunk_bits = h->chunk_bits;
    return 0;
}
