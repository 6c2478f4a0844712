/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/layer_keep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "image/layer_unpack.h"

#define REGION_SIZE ((size_t)8 << 20)
/* Less room than that at the end of a region is not worth a piece. */
#define PIECE_MIN   ((size_t)64 << 10)

struct layer_keep {
    uint64_t max;
    uint64_t tree; /* atomic: the reader sets it, the producer asks */
    bool over;     /* atomic: no more room, for good */
    uint8_t **regions;
    size_t region_count;
    size_t region_room;
    size_t used; /* bytes of the last region */
    struct kept_layer *layers;
    size_t layer_count;
};

int layer_keep_new(uint64_t max, size_t layers, struct layer_keep **ret, struct error **err)
{
    _cleanup_layer_keep_ struct layer_keep *k = calloc(1, sizeof(*k));

    if (k != NULL) {
        k->max = max == 0 ? LAYER_KEEP_MAX : max;
        k->region_room = (size_t)(k->max / REGION_SIZE) + 1;
        k->regions = calloc(k->region_room, sizeof(*k->regions));
        k->layers = calloc(layers + 1, sizeof(*k->layers));
        k->layer_count = layers;
    }
    if (k == NULL || k->regions == NULL || k->layers == NULL) {
        return error_set_errno(err, ENOMEM, "reading the layers");
    }
    *ret = TAKE_PTR(k);
    return 0;
}

struct layer_keep *layer_keep_free(struct layer_keep *k)
{
    if (k != NULL) {
        if (k->layers != NULL && k->regions != NULL) {
            layer_keep_drop(k);
        }
        free(k->layers);
        free(k->regions);
        free(k);
    }
    return NULL;
}

struct kept_layer *layer_keep_layer(struct layer_keep *k, uint16_t number)
{
    return &k->layers[number - 1];
}

bool layer_keep_charge(struct layer_keep *k, uint64_t tree_bytes)
{
    __atomic_store_n(&k->tree, tree_bytes, __ATOMIC_RELAXED);
    if (tree_bytes + __atomic_load_n(&k->region_count, __ATOMIC_RELAXED) * REGION_SIZE > k->max) {
        __atomic_store_n(&k->over, true, __ATOMIC_RELAXED);
    }
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
    for (size_t i = 0; i < k->region_count; i++) {
        (void)munmap(k->regions[i], REGION_SIZE);
    }
    k->region_count = 0;
    k->used = 0;
    k->over = true;
}

static bool add_region(struct layer_keep *k)
{
    const uint64_t all = (k->region_count + 1) * (uint64_t)REGION_SIZE;
    void *p;

    if (k->region_count == k->region_room ||
        all + __atomic_load_n(&k->tree, __ATOMIC_RELAXED) > k->max) {
        return false;
    }
    p = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return false;
    }
    k->regions[k->region_count] = p;
    k->used = 0;
    __atomic_store_n(&k->region_count, k->region_count + 1, __ATOMIC_RELAXED);
    return true;
}

uint8_t *layer_keep_room(struct layer_keep *k, size_t *ret_cap)
{
    if (__atomic_load_n(&k->over, __ATOMIC_RELAXED) ||
        ((k->region_count == 0 || REGION_SIZE - k->used < PIECE_MIN) && !add_region(k))) {
        return NULL;
    }
    *ret_cap = REGION_SIZE - k->used;
    return k->regions[k->region_count - 1] + k->used;
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
    l->pieces[l->count++] = (struct kept_piece){
        .data = k->regions[k->region_count - 1] + k->used,
        .size = size,
    };
    k->used += size;
    return 0;
}
