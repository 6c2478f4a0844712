/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Contents of sealed files: runs of the image, by blocks of the cache. */

#include "libos/fs/sealed/sealed_internal.h"

#define WINDOW_FIRST 4u

/*
 * How many blocks to open from `block` on: what the caller asked for at least; more, doubling,
 * while reads go on where the last one ended. Races between readers of one file only make the guess
 * worse.
 */
static uint32_t plan_ahead(struct sealed_inode *si, uint64_t block, uint64_t wanted, uint64_t run)
{
    uint32_t window = __atomic_load_n(&si->window, __ATOMIC_RELAXED);

    if (__atomic_load_n(&si->next_block, __ATOMIC_RELAXED) != block) {
        window = 1;
    } else {
        window = MIN(MAX(2 * window, WINDOW_FIRST), BLOCK_FILL_MAX);
    }
    __atomic_store_n(&si->window, window, __ATOMIC_RELAXED);
    return (uint32_t)MIN(MAX(wanted, (uint64_t)window), MIN(run, (uint64_t)BLOCK_FILL_MAX));
}

/* Copies bytes of one contiguous piece of the image that lie in one block. */
static int64_t put_block(struct sealed_inode *si, struct iter *to, const struct erofs_extent *x)
{
    struct sealed_super *s = sealed_super_of(&si->inode);
    const uint64_t block = x->image / SEALED_BLOCK_SIZE;
    const uint64_t within = x->image % SEALED_BLOCK_SIZE;
    const uint64_t want = MIN(x->length, to->left);
    const size_t n = (size_t)MIN(want, SEALED_BLOCK_SIZE - within);
    struct block_frame *f = block_cache_pin(&s->store.cache, block);
    size_t copied;
    int r = 0;

    if (f == NULL) {
        r = store_pin(&s->store, block,
                      plan_ahead(si, block,
                                 (within + want + SEALED_BLOCK_SIZE - 1) / SEALED_BLOCK_SIZE,
                                 (within + x->length + SEALED_BLOCK_SIZE - 1) / SEALED_BLOCK_SIZE),
                      &f);
        if (r < 0) {
            return sealed_error(s, &si->e, r);
        }
    }
    __atomic_store_n(&si->next_block, block + 1, __ATOMIC_RELAXED);
    copied = iter_put(to, f->data + within, n);
    block_cache_unpin(&s->store.cache, f);
    return copied == n ? (int64_t)n : copied == 0 ? -EFAULT : (int64_t)copied;
}

int64_t sealed_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct sealed_inode *si = sealed_of(inode);
    struct sealed_super *s = sealed_super_of(inode);
    struct erofs_extent x = {0};
    int64_t done = 0;
    int64_t n = 0;

    while (to->left > 0) {
        if (x.length == 0) {
            n = sealed_error(s, &si->e, erofs_map(&s->erofs, &si->e, offset, &x));
            if (n < 0 || x.length == 0) {
                break;
            }
        }
        if (x.hole) {
            const size_t want = (size_t)MIN(x.length, to->left);
            const size_t zeroed = iter_zero(to, want);

            n = zeroed == 0 ? -EFAULT : (int64_t)zeroed;
        } else {
            n = put_block(si, to, &x);
        }
        if (n <= 0) {
            break;
        }
        done += n;
        offset += (uint64_t)n;
        x.length -= (uint64_t)n;
        x.image += (uint64_t)n;
    }
    return done > 0 ? done : MIN(n, (int64_t)0);
}

int64_t sealed_seek_data(struct inode *inode, uint64_t offset, bool hole)
{
    struct sealed_inode *si = sealed_of(inode);
    struct sealed_super *s = sealed_super_of(inode);

    if (offset >= inode->size) {
        return -ENXIO;
    }
    while (offset < inode->size) {
        struct erofs_extent x;
        int r = sealed_error(s, &si->e, erofs_map(&s->erofs, &si->e, offset, &x));

        if (r < 0) {
            return r;
        }
        if (x.hole == hole || x.length == 0) {
            return (int64_t)offset;
        }
        offset += x.length;
    }
    return hole ? (int64_t)inode->size : -ENXIO;
}
