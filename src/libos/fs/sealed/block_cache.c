/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/fs/sealed/block_cache.h"

#include "libos/mm/kmem.h"

#define SLAB_FRAMES BLOCK_SLAB_FRAMES
#define SLAB_BYTES  ((uint64_t)SLAB_FRAMES * SEALED_BLOCK_SIZE)
/* A cache that has grown so far will go on: 2 MiB at once are one page of the host's. */
#define SLABS_SMALL 8u
#define SLABS_RUN   8u

_Static_assert(BLOCK_LEAF_ENTRIES % BLOCK_PINS_MAX == 0, "they lie in one leaf");

static struct spinlock *shard_of(struct block_cache *c, uint64_t block)
{
    return &c->shard[block / BLOCK_PINS_MAX % BLOCK_SHARDS];
}

int block_cache_init(struct block_cache *c, uint64_t block_count, uint64_t bytes)
{
    *c = (struct block_cache){.block_count = block_count};
    bytes = MAX(bytes, BLOCK_CACHE_MIN);
    c->slab_max = (size_t)((bytes + SLAB_BYTES - 1) / SLAB_BYTES);
    c->top_count = (size_t)((block_count + BLOCK_LEAF_ENTRIES - 1) / BLOCK_LEAF_ENTRIES);
    c->top = kzalloc(c->top_count * sizeof(*c->top));
    return c->top == NULL ? -ENOMEM : 0;
}

void block_cache_free(struct block_cache *c)
{
    for (size_t i = 0; i < c->slab_count; i++) {
        if (c->slabs[i].run_pages != 0) {
            kpages_free(c->slabs[i].frames[0].data, c->slabs[i].run_pages);
        }
    }
    for (size_t i = 0; i < c->slab_count; i++) {
        kfree(c->slabs[i].frames);
    }
    for (size_t i = 0; c->top != NULL && i < c->top_count; i++) {
        kfree(c->top[i]);
    }
    kfree(c->slabs);
    kfree(c->top);
    *c = (struct block_cache){0};
}

/* ---- the table ---- */

/* In the place of a frame: the block was here for one reader. Forgotten when it is evicted later,
 * so that a loop over more than fits keeps a part instead of driving out each block before its
 * turn. */
static struct block_frame g_seen;

/* Where the frame of a block is noted; NULL: nowhere yet. */
static struct block_frame **slot_of(struct block_cache *c, uint64_t block)
{
    struct block_frame **leaf =
        __atomic_load_n(&c->top[block / BLOCK_LEAF_ENTRIES], __ATOMIC_ACQUIRE);

    return leaf == NULL ? NULL : &leaf[block % BLOCK_LEAF_ENTRIES];
}

static struct block_frame **slot_make(struct block_cache *c, uint64_t block)
{
    struct block_frame ***where = &c->top[block / BLOCK_LEAF_ENTRIES];
    struct block_frame **expected = NULL;
    struct block_frame **fresh;

    if (__atomic_load_n(where, __ATOMIC_ACQUIRE) == NULL) {
        fresh = kzalloc(BLOCK_LEAF_ENTRIES * sizeof(*fresh));
        if (fresh == NULL) {
            return NULL;
        }
        if (!__atomic_compare_exchange_n(where, &expected, fresh, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            kfree(fresh);
        }
    }
    return slot_of(c, block);
}

static struct block_frame *frame_in(struct block_frame *const *slot)
{
    struct block_frame *f = __atomic_load_n(slot, __ATOMIC_RELAXED);

    return f == &g_seen ? NULL : f;
}

/* Neighbours from `block` on, at most `count`, that lie in one leaf and under one lock. */
static uint32_t together(uint64_t block, uint32_t count)
{
    return MIN(count, BLOCK_PINS_MAX - (uint32_t)(block % BLOCK_PINS_MAX));
}

uint32_t block_cache_pin(struct block_cache *c, uint64_t block, struct block_frame **ret,
                         uint32_t count)
{
    struct block_frame **slot = slot_of(c, block);
    uint32_t n = 0;

    if (slot == NULL) {
        return 0;
    }
    count = together(block, count);
    spin_lock(shard_of(c, block));
    while (n < count && frame_in(&slot[n]) != NULL) {
        ret[n] = slot[n];
        ret[n]->pins++;
        ret[n]->hot = true;
        n++;
    }
    spin_unlock(shard_of(c, block));
    return n;
}

bool block_cache_has(struct block_cache *c, uint64_t block)
{
    struct block_frame **slot = slot_of(c, block);

    return slot != NULL && frame_in(slot) != NULL;
}

/* Takes a frame that nobody pins out of the table; its shard is locked. */
static void take_out(struct block_cache *c, struct block_frame *f, struct block_frame *leave)
{
    __atomic_store_n(slot_of(c, f->block), leave, __ATOMIC_RELAXED);
    __atomic_store_n(&f->block, BLOCK_NONE, __ATOMIC_RELAXED);
}

void block_cache_unpin(struct block_cache *c, struct block_frame *const *frames, uint32_t count,
                       uint32_t finished, struct block_frame **gone)
{
    struct spinlock *l = shard_of(c, frames[0]->block); /* which stays while we hold a pin */

    spin_lock(l);
    for (uint32_t i = 0; i < count; i++) {
        struct block_frame *f = frames[i];

        f->pins--;
        if (i < finished && f->once && f->pins == 0) {
            take_out(c, f, &g_seen);
            f->next_free = *gone;
            *gone = f;
        }
    }
    spin_unlock(l);
}

void block_cache_unpin_block(struct block_cache *c, uint64_t block)
{
    struct block_frame **slot = slot_of(c, block);

    if (slot == NULL) {
        return;
    }
    spin_lock(shard_of(c, block));
    (*slot)->pins--;
    spin_unlock(shard_of(c, block));
}

/* ---- frames ---- */

/* Room for `count` slabs more in the list of slabs. */
static int make_list_room(struct block_cache *c, size_t count)
{
    struct block_slab *more;
    size_t room;

    if (c->slab_room - c->slab_count >= count) {
        return 0;
    }
    room = 2 * c->slab_room + 2 * SLABS_RUN;
    more = krealloc(c->slabs, room * sizeof(*more));
    if (more == NULL) {
        return -ENOMEM;
    }
    c->slabs = more;
    c->slab_room = room;
    return 0;
}

/* A slab over SLAB_FRAMES blocks of memory that is part of a run of ours. */
static int add_slab(struct block_cache *c, uint8_t *data, size_t run_pages)
{
    struct block_frame *f = kzalloc(SLAB_FRAMES * sizeof(*f));

    if (f == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = SLAB_FRAMES; i-- > 0;) {
        f[i].block = BLOCK_NONE;
        f[i].data = data + (size_t)i * SEALED_BLOCK_SIZE;
        f[i].next_free = c->free;
        c->free = &f[i];
    }
    c->slabs[c->slab_count++] = (struct block_slab){.frames = f, .run_pages = run_pages};
    return 0;
}

/* `count` slabs more, or as many as there is memory for their books; `grow` held. */
static int grow_slabs(struct block_cache *c, size_t count)
{
    const size_t pages = count * SLAB_FRAMES;
    uint8_t *data;

    if (make_list_room(c, count) < 0) {
        return -ENOMEM;
    }
    data = kpages_alloc(pages);
    if (data == NULL) {
        return -ENOMEM;
    }
    if (add_slab(c, data, pages) < 0) {
        kpages_free(data, pages);
        return -ENOMEM;
    }
    for (size_t i = 1; i < count; i++) {
        if (add_slab(c, data + i * SLAB_BYTES, 0) < 0) {
            break; /* the rest of the run lies idle */
        }
    }
    return 0;
}

static int grow(struct block_cache *c)
{
    if (c->slab_count >= SLABS_SMALL && c->slab_max - c->slab_count >= SLABS_RUN &&
        grow_slabs(c, SLABS_RUN) == 0) {
        return 0;
    }
    return grow_slabs(c, 1);
}

/* Takes one frame out of the table when nobody uses it and the hand came by before. */
static bool try_evict(struct block_cache *c, struct block_frame *f)
{
    const uint64_t block = __atomic_load_n(&f->block, __ATOMIC_RELAXED);
    bool out = false;

    if (block == BLOCK_NONE) {
        return false;
    }
    spin_lock(shard_of(c, block));
    if (f->block == block && f->pins == 0) {
        out = !f->hot;
        f->hot = false;
        if (out) {
            take_out(c, f, NULL);
        }
    }
    spin_unlock(shard_of(c, block));
    return out;
}

/* `grow` held. Two rounds of the hand see every frame cold unless it is pinned. */
static struct block_frame *evict_one(struct block_cache *c)
{
    const size_t total = c->slab_count * SLAB_FRAMES;

    for (size_t i = 0; i < 2 * total; i++) {
        struct block_frame *f;

        c->hand = c->hand + 1 < total ? c->hand + 1 : 0;
        f = &c->slabs[c->hand / SLAB_FRAMES].frames[c->hand % SLAB_FRAMES];
        if (try_evict(c, f)) {
            c->evicted++;
            return f;
        }
    }
    return NULL;
}

static struct block_frame *take_one(struct block_cache *c, bool must)
{
    struct block_frame *f;

    if (c->free == NULL && c->slab_count < c->slab_max && grow(c) < 0) {
        c->slab_max = MAX(c->slab_count, (size_t)1); /* memory is short: live with what there is */
    }
    if (c->free == NULL) {
        f = evict_one(c);
        /* All of it pinned: the bound gives way rather than the reader. */
        if (f != NULL || !must || grow_slabs(c, 1) < 0) {
            return f;
        }
    }
    f = c->free;
    c->free = f->next_free;
    return f;
}

int block_cache_take(struct block_cache *c, struct block_frame **ret, uint32_t count)
{
    uint32_t n = 0;

    mutex_lock(&c->grow);
    while (n < count) {
        ret[n] = take_one(c, /*must=*/n == 0);
        if (ret[n] == NULL) {
            break;
        }
        n++;
    }
    mutex_unlock(&c->grow);
    return n == 0 ? -ENOMEM : (int)n;
}

void block_cache_give(struct block_cache *c, struct block_frame *const *frames, uint32_t count)
{
    if (count == 0) {
        return;
    }
    mutex_lock(&c->grow);
    for (uint32_t i = 0; i < count; i++) {
        frames[i]->next_free = c->free;
        c->free = frames[i];
    }
    mutex_unlock(&c->grow);
}

void block_cache_give_gone(struct block_cache *c, struct block_frame **gone)
{
    struct block_frame *last = *gone;
    uint64_t count = 1;

    if (last == NULL) {
        return;
    }
    for (; last->next_free != NULL; last = last->next_free) {
        count++;
    }
    mutex_lock(&c->grow);
    last->next_free = c->free;
    c->free = *gone;
    c->passed += count;
    mutex_unlock(&c->grow);
    *gone = NULL;
}

/* Puts in neighbours that are together(), and pins the first `want` of them for pins[]. Frames that
 * are not needed go to back[]; how many those are. */
static uint32_t insert_some(struct block_cache *c, const struct block_fill *f, uint32_t first,
                            uint32_t count, struct block_frame **back, struct block_frame **pins,
                            uint32_t want)
{
    const uint64_t block = f->block + first;
    struct block_frame **slot = slot_make(c, block);
    uint32_t unused = 0;

    if (slot == NULL) {
        __builtin_memcpy(back, &f->frames[first], count * sizeof(*back));
        return count;
    }
    spin_lock(shard_of(c, block));
    for (uint32_t i = 0; i < count; i++) {
        struct block_frame *frame = f->frames[first + i];

        if (frame_in(&slot[i]) == NULL) {
            frame->once = f->once && slot[i] != &g_seen;
            frame->hot = false;
            frame->pins = 0;
            __atomic_store_n(&frame->block, block + i, __ATOMIC_RELAXED);
            __atomic_store_n(&slot[i], frame, __ATOMIC_RELAXED);
        } else {
            back[unused++] = frame;
        }
        if (i < want) {
            pins[i] = slot[i];
            pins[i]->pins++;
        }
    }
    spin_unlock(shard_of(c, block));
    return unused;
}

int block_cache_insert(struct block_cache *c, const struct block_fill *f, struct block_frame **ret,
                       uint32_t want)
{
    struct block_frame *back[BLOCK_FILL_MAX];
    uint32_t pinned = together(f->block, MIN(want, f->count));
    uint32_t unused = 0;
    uint32_t part;

    ret[0] = NULL;
    for (uint32_t i = 0; i < f->count; i += part) {
        part = together(f->block + i, f->count - i);
        unused += insert_some(c, f, i, part, back + unused, ret, i == 0 ? pinned : 0);
    }
    block_cache_give(c, back, unused);
    return ret[0] == NULL ? -ENOMEM : (int)pinned;
}

uint64_t block_cache_bytes(struct block_cache *c)
{
    uint64_t frames;

    mutex_lock(&c->grow);
    frames = c->slab_count * SLAB_FRAMES;
    mutex_unlock(&c->grow);
    return frames * SEALED_BLOCK_SIZE;
}
