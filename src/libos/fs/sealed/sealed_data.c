/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Contents of sealed files: runs of the image, by blocks of the cache. */

#include "libos/fs/sealed/sealed_internal.h"

#define WINDOW_FIRST 4u

/*
 * How many blocks to open from `block` on, of a run of `run`: what the caller asked for at least;
 * more, doubling, while reads go on where the last one ended. Races between readers of one file
 * only make the guess worse. So much at once that it looks like a file read from end to end, or a
 * part of it that is mapped, need not stay.
 */
static struct store_plan plan_ahead(struct sealed_inode *si, uint64_t block, uint64_t wanted,
                                    uint64_t run)
{
    uint32_t window = __atomic_load_n(&si->window, __ATOMIC_RELAXED);

    if (__atomic_load_n(&si->next_block, __ATOMIC_RELAXED) != block) {
        window = 1;
    } else {
        window = MIN(MAX(2 * window, WINDOW_FIRST), BLOCK_FILL_MAX);
    }
    __atomic_store_n(&si->window, window, __ATOMIC_RELAXED);
    wanted = MIN(MAX(wanted, (uint64_t)window), (uint64_t)BLOCK_FILL_MAX);
    return (struct store_plan){
        .block = block,
        .ahead = (uint32_t)MIN(wanted, run),
        .once = wanted == BLOCK_FILL_MAX,
    };
}

static uint64_t blocks_of(uint64_t within, uint64_t size)
{
    return (within + size + SEALED_BLOCK_SIZE - 1) / SEALED_BLOCK_SIZE;
}

/* Pins the first blocks of a piece, as many as are easily had of what is wanted: how many. */
static int get_blocks(struct sealed_inode *si, const struct erofs_extent *x, uint64_t want,
                      struct block_frame **gone, struct block_frame **ret)
{
    struct sealed_super *s = sealed_super_of(&si->inode);
    const uint64_t block = x->image / SEALED_BLOCK_SIZE;
    const uint64_t within = x->image % SEALED_BLOCK_SIZE;
    const uint64_t wanted = blocks_of(within, want);
    const uint32_t most = (uint32_t)MIN(wanted, (uint64_t)BLOCK_PINS_MAX);
    struct store_plan plan;
    int r = (int)block_cache_pin(&s->store.cache, block, ret, most);

    if (r > 0) {
        return r;
    }
    /* They are the next to be filled, and the processor still has them. */
    block_cache_give_gone(&s->store.cache, gone);
    plan = plan_ahead(si, block, wanted, blocks_of(within, x->length));
    r = store_pin(&s->store, &plan, ret, most);
    return r < 0 ? sealed_error(s, &si->e, r) : r;
}

/* Copies bytes of one contiguous piece of the image, out of as many blocks as were easily had.
 * *gone: frames whose blocks were there for this reader alone. */
static int64_t put_blocks(struct sealed_inode *si, struct iter *to, const struct erofs_extent *x,
                          struct block_frame **gone)
{
    struct sealed_store *s = &sealed_super_of(&si->inode)->store;
    const uint64_t want = MIN(x->length, to->left);
    struct block_frame *f[BLOCK_PINS_MAX];
    uint64_t within = x->image % SEALED_BLOCK_SIZE;
    uint32_t finished = 0;
    uint64_t done = 0;
    int r = get_blocks(si, x, want, gone, f);

    if (r < 0) {
        return r;
    }
    __atomic_store_n(&si->next_block, x->image / SEALED_BLOCK_SIZE + (uint32_t)r, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < (uint32_t)r; i++) {
        const size_t n = (size_t)MIN(want - done, SEALED_BLOCK_SIZE - within);
        const size_t copied = iter_put(to, f[i]->data + within, n);

        done += copied;
        if (copied < n) {
            break;
        }
        finished += within + n == SEALED_BLOCK_SIZE || done == x->length ? 1 : 0;
        within = 0;
    }
    block_cache_unpin(&s->cache, f, (uint32_t)r, finished, gone);
    return done == 0 ? -EFAULT : (int64_t)done;
}

int64_t sealed_read(struct inode *inode, struct iter *to, uint64_t offset)
{
    struct sealed_inode *si = sealed_of(inode);
    struct sealed_super *s = sealed_super_of(inode);
    struct block_frame *gone = NULL;
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
            n = put_blocks(si, to, &x, &gone);
        }
        if (n <= 0) {
            break;
        }
        done += n;
        offset += (uint64_t)n;
        x.length -= (uint64_t)n;
        x.image += (uint64_t)n;
    }
    block_cache_give_gone(&s->store.cache, &gone);
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
