/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/layer_keep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "image/layer_unpack.h"

/* Memory is asked for in steps, not by a fault for every page. Not in huge pages: a virtual machine
 * has given its free ones back to its host, and gets them again only slowly. */
#define STEP      ((uint64_t)2 << 20)
/* Less room than that at the end is not worth a piece. */
#define PIECE_MIN ((uint64_t)64 << 10)

struct layer_keep {
    uint64_t max;
    uint8_t *memory; /* `size` bytes reserved; what was not used yet takes nothing */
    uint64_t size;
    uint64_t used;     /* atomic: the producer adds */
    uint64_t ready;    /* the producer's: bytes that are there */
    uint64_t released; /* second reading: bytes that are not any more */
    uint64_t tree;     /* atomic: the reader sets */
    uint64_t unpacker; /* atomic: the producer sets */
    bool over;         /* atomic: no more room, for good */
    struct kept_layer *layers;
    size_t layer_count;
};

static uint64_t whole_steps(uint64_t size)
{
    return (size + STEP - 1) & ~(STEP - 1);
}

int layer_keep_new(uint64_t max, size_t layers, struct layer_keep **ret, struct error **err)
{
    _cleanup_layer_keep_ struct layer_keep *k = calloc(1, sizeof(*k));
    void *p;

    if (k != NULL) {
        k->layers = calloc(layers + 1, sizeof(*k->layers));
    }
    if (k == NULL || k->layers == NULL) {
        return error_set_errno(err, ENOMEM, "reading the layers");
    }
    k->layer_count = layers;
    k->max = max == 0 ? LAYER_MEMORY_MAX : max;
    p = mmap(NULL, k->max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
             0);
    if (p != MAP_FAILED) { /* else nothing is kept, and all read twice */
        k->memory = p;
        k->size = k->max;
    }
    *ret = TAKE_PTR(k);
    return 0;
}

struct layer_keep *layer_keep_free(struct layer_keep *k)
{
    if (k != NULL) {
        if (k->layers != NULL) {
            layer_keep_drop(k);
        }
        free(k->layers);
        free(k);
    }
    return NULL;
}

struct kept_layer *layer_keep_layer(struct layer_keep *k, uint16_t number)
{
    return &k->layers[number - 1];
}

static uint64_t taken_beside(const struct layer_keep *k)
{
    return __atomic_load_n(&k->tree, __ATOMIC_RELAXED) +
           __atomic_load_n(&k->unpacker, __ATOMIC_RELAXED);
}

static void check(struct layer_keep *k)
{
    if (taken_beside(k) + whole_steps(__atomic_load_n(&k->used, __ATOMIC_RELAXED)) > k->max) {
        __atomic_store_n(&k->over, true, __ATOMIC_RELAXED);
    }
}

int layer_keep_tree(struct layer_keep *k, uint64_t bytes, struct error **err)
{
    __atomic_store_n(&k->tree, bytes, __ATOMIC_RELAXED);
    check(k);
    if (taken_beside(k) > LAYER_MEMORY_MAX) {
        return error_set(err, EFBIG,
                         "the image's names, links and attributes take %llu MiB, and the "
                         "decompressor %llu: more than the %llu MiB of memory there are for both",
                         (unsigned long long)bytes >> 20,
                         (unsigned long long)__atomic_load_n(&k->unpacker, __ATOMIC_RELAXED) >> 20,
                         (unsigned long long)LAYER_MEMORY_MAX >> 20);
    }
    return 0;
}

void layer_keep_unpacker(struct layer_keep *k, uint64_t bytes)
{
    if (bytes > __atomic_load_n(&k->unpacker, __ATOMIC_RELAXED)) {
        __atomic_store_n(&k->unpacker, bytes, __ATOMIC_RELAXED);
        check(k);
    }
}

bool layer_keep_over(const struct layer_keep *k)
{
    return __atomic_load_n(&k->over, __ATOMIC_RELAXED);
}

void layer_keep_drop(struct layer_keep *k)
{
    for (size_t i = 0; i < k->layer_count; i++) {
        struct kept_layer *l = &k->layers[i];

        free(l->pieces);
        l->rest = layer_rest_free(l->rest);
        *l = (struct kept_layer){0};
    }
    if (k->memory != NULL) {
        (void)munmap(k->memory, k->size);
    }
    k->memory = NULL;
    k->size = 0;
    __atomic_store_n(&k->used, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&k->over, true, __ATOMIC_RELAXED);
}

void layer_keep_release(struct layer_keep *k, const uint8_t *piece)
{
    const uint64_t behind = (uint64_t)(piece - k->memory) & ~(STEP - 1);

    if (behind > k->released) {
        (void)madvise(k->memory + k->released, behind - k->released, MADV_DONTNEED);
        k->released = behind;
    }
}

uint8_t *layer_keep_room(struct layer_keep *k, size_t *ret_cap)
{
    /* The tree still grows. Room for it to double, lest it makes everything go for a little more.
     */
    const uint64_t spared = taken_beside(k) + __atomic_load_n(&k->tree, __ATOMIC_RELAXED);
    const uint64_t limit = spared > k->size ? 0 : (k->size - spared) & ~(STEP - 1);

    if (layer_keep_over(k) || k->used + PIECE_MIN > limit) {
        return NULL;
    }
    if (k->used + PIECE_MIN > k->ready) {
        /* Where the kernel cannot, the bytes come when they are written. */
        (void)madvise(k->memory + k->ready, MIN(STEP, limit - k->ready), MADV_POPULATE_WRITE);
        k->ready += STEP;
    }
    *ret_cap = (size_t)(MIN(limit, k->ready) - k->used);
    return k->memory + k->used;
}

int layer_keep_add(struct layer_keep *k, struct kept_layer *l, size_t size)
{
    if (l->count == l->room) {
        const size_t room = 2 * l->room + 16;
        struct kept_piece *more = realloc(l->pieces, room * sizeof(*more));

        if (more == NULL) {
            return -ENOMEM;
        }
        l->pieces = more;
        l->room = room;
    }
    l->pieces[l->count++] = (struct kept_piece){.data = k->memory + k->used, .size = size};
    __atomic_store_n(&k->used, k->used + size, __ATOMIC_RELAXED);
    return 0;
}
