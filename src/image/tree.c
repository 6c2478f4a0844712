/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

static int out_of_memory(struct error **err)
{
    return error_set_errno(err, ENOMEM, "keeping the image's file tree");
}

/* Doubles an array; what is not touched yet costs no memory. */
static int grow(void **array, uint32_t *cap, uint32_t count, size_t item, struct error **err)
{
    uint32_t want = *cap == 0 ? 1024 : *cap * 2;
    void *grown;

    if (count < *cap) {
        return 0;
    }
    grown = reallocarray(*array, want, item);
    if (grown == NULL) {
        return out_of_memory(err);
    }
    *array = grown;
    *cap = want;
    return 0;
}

int img_tree_init(struct img_tree *t, struct error **err)
{
    uint32_t inode;
    uint32_t name;
    int r;

    *t = (struct img_tree){.free_entries = IMG_NONE, .free_inodes = IMG_NONE};
    if (getrandom(&t->hash_seed, sizeof(t->hash_seed), 0) != (ssize_t)sizeof(t->hash_seed)) {
        return error_set_errno(err, errno, "reading random bytes");
    }
    t->bucket_count = 1024;
    t->buckets = malloc(t->bucket_count * sizeof(*t->buckets));
    if (t->buckets == NULL) {
        return out_of_memory(err);
    }
    memset(t->buckets, 0xff, t->bucket_count * sizeof(*t->buckets));
    r = img_tree_new_inode(t, 0040755, &inode, err);
    if (r == 0) {
        r = img_tree_store(t, "", 0, &name, err);
    }
    if (r == 0) {
        r = grow((void **)&t->entries, &t->entry_cap, 0, sizeof(*t->entries), err);
    }
    if (r < 0) {
        img_tree_done(t);
        return r;
    }
    t->entries[IMG_ROOT] = (struct img_entry){.parent = IMG_ROOT,
                                              .first = IMG_NONE,
                                              .prev = IMG_NONE,
                                              .next = IMG_NONE,
                                              .hash_next = IMG_NONE,
                                              .inode = inode,
                                              .name = name};
    t->entry_count = 1;
    t->live_entries = 1;
    t->inodes[inode].links = 1;
    t->inodes[inode].target = IMG_ROOT;
    return 0;
}

void img_tree_done(struct img_tree *t)
{
    free(t->entries);
    free(t->inodes);
    free(t->buckets);
    free(t->arena);
    *t = (struct img_tree){0};
}

static uint32_t bucket_of(const struct img_tree *t, uint32_t dir, const char *name, size_t size)
{
    uint64_t h = t->hash_seed ^ dir * 0x9e3779b97f4a7c15ull;

    for (size_t i = 0; i < size; i++) {
        unsigned __int128 m = (unsigned __int128)(h ^ (uint8_t)name[i]) * 0xd6e8feb86659fd93ull;

        h = (uint64_t)m ^ (uint64_t)(m >> 64);
    }
    return (uint32_t)(h ^ h >> 32) & (t->bucket_count - 1);
}

static const char *name_of(const struct img_tree *t, const struct img_entry *e)
{
    return (const char *)t->arena + e->name;
}

uint64_t img_tree_bytes(const struct img_tree *t)
{
    return t->entry_count * (uint64_t)sizeof(*t->entries) +
           t->inode_count * (uint64_t)sizeof(*t->inodes) +
           t->bucket_count * (uint64_t)sizeof(*t->buckets) + t->arena_size;
}

uint32_t img_tree_child(const struct img_tree *t, uint32_t dir, const char *name, size_t name_size)
{
    uint32_t i = t->buckets[bucket_of(t, dir, name, name_size)];

    while (i != IMG_NONE) {
        const struct img_entry *e = &t->entries[i];

        if (e->parent == dir && e->name_size == name_size &&
            memcmp(name_of(t, e), name, name_size) == 0) {
            return i;
        }
        i = e->hash_next;
    }
    return IMG_NONE;
}

static int rehash(struct img_tree *t, struct error **err)
{
    uint32_t count = t->bucket_count * 2;
    uint32_t *buckets;

    if (t->live_entries < t->bucket_count) {
        return 0;
    }
    buckets = malloc(count * sizeof(*buckets));
    if (buckets == NULL) {
        return out_of_memory(err);
    }
    memset(buckets, 0xff, count * sizeof(*buckets));
    free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
    for (uint32_t i = 1; i < t->entry_count; i++) {
        struct img_entry *e = &t->entries[i];

        if (e->inode != IMG_NONE) {
            uint32_t b = bucket_of(t, e->parent, name_of(t, e), e->name_size);

            e->hash_next = buckets[b];
            buckets[b] = i;
        }
    }
    return 0;
}

int img_tree_store(struct img_tree *t, const void *data, size_t size, uint32_t *ret_offset,
                   struct error **err)
{
    if (size > IMG_ARENA_MAX - t->arena_size) {
        return error_set(err, ENOSPC, "the image's names and attributes exceed %u bytes",
                         IMG_ARENA_MAX);
    }
    if (t->arena_size + size > t->arena_cap || t->arena == NULL) {
        size_t cap = MAX(t->arena_cap * 2, t->arena_size + size + 65536);
        uint8_t *grown = realloc(t->arena, cap);

        if (grown == NULL) {
            return out_of_memory(err);
        }
        t->arena = grown;
        t->arena_cap = cap;
    }
    if (size > 0) {
        memcpy(t->arena + t->arena_size, data, size);
    }
    *ret_offset = (uint32_t)t->arena_size;
    t->arena_size += size;
    return 0;
}

int img_tree_new_inode(struct img_tree *t, uint32_t mode, uint32_t *ret, struct error **err)
{
    uint32_t i = t->free_inodes;
    int r;

    if (i != IMG_NONE) {
        t->free_inodes = t->inodes[i].target;
    } else {
        r = grow((void **)&t->inodes, &t->inode_cap, t->inode_count, sizeof(*t->inodes), err);
        if (r < 0) {
            return r;
        }
        i = t->inode_count++;
    }
    t->inodes[i] =
        (struct img_inode){.mode = mode, .xattrs = IMG_NONE, .target = IMG_NONE, .holes = IMG_NONE};
    *ret = i;
    return 0;
}

static void drop_inode(struct img_tree *t, uint32_t i)
{
    if (t->inodes[i].links > 0) {
        t->inodes[i].links--;
    }
    if (t->inodes[i].links == 0) {
        t->inodes[i].mode = 0;
        t->inodes[i].target = t->free_inodes;
        t->free_inodes = i;
    }
}

int img_tree_link(struct img_tree *t, uint32_t dir, const char *name, size_t name_size,
                  uint32_t inode, uint16_t layer, uint32_t *ret, struct error **err)
{
    struct img_entry *e;
    uint32_t name_offset;
    uint32_t i;
    uint32_t b;
    int r;

    if (t->live_entries >= IMG_ENTRIES_MAX) {
        return error_set(err, EFBIG, "the image holds more than %u names", IMG_ENTRIES_MAX);
    }
    r = rehash(t, err);
    if (r == 0) {
        r = img_tree_store(t, name, name_size, &name_offset, err);
    }
    if (r == 0 && t->free_entries == IMG_NONE) {
        r = grow((void **)&t->entries, &t->entry_cap, t->entry_count, sizeof(*t->entries), err);
    }
    if (r < 0) {
        return r;
    }
    if (t->free_entries != IMG_NONE) {
        i = t->free_entries;
        t->free_entries = t->entries[i].next;
    } else {
        i = t->entry_count++;
    }
    b = bucket_of(t, dir, name, name_size);
    e = &t->entries[i];
    *e = (struct img_entry){
        .parent = dir,
        .first = IMG_NONE,
        .prev = IMG_NONE,
        .next = t->entries[dir].first,
        .hash_next = t->buckets[b],
        .inode = inode,
        .name = name_offset,
        .layer = layer,
        .name_size = (uint8_t)name_size,
    };
    if (e->next != IMG_NONE) {
        t->entries[e->next].prev = i;
    }
    t->entries[dir].first = i;
    t->buckets[b] = i;
    t->inodes[inode].links++;
    if (img_is_dir(&t->inodes[inode])) {
        t->inodes[inode].target = i;
    }
    t->live_entries++;
    *ret = i;
    return 0;
}

/* Takes one entry without children out of directory, hash and inode. */
static void remove_leaf(struct img_tree *t, uint32_t i)
{
    struct img_entry *e = &t->entries[i];
    uint32_t *link = &t->buckets[bucket_of(t, e->parent, name_of(t, e), e->name_size)];

    while (*link != i) {
        link = &t->entries[*link].hash_next;
    }
    *link = e->hash_next;
    if (e->prev != IMG_NONE) {
        t->entries[e->prev].next = e->next;
    } else {
        t->entries[e->parent].first = e->next;
    }
    if (e->next != IMG_NONE) {
        t->entries[e->next].prev = e->prev;
    }
    drop_inode(t, e->inode);
    e->inode = IMG_NONE;
    e->next = t->free_entries;
    t->free_entries = i;
    t->live_entries--;
}

void img_tree_unlink(struct img_tree *t, uint32_t entry)
{
    uint32_t i = entry;

    if (entry == IMG_ROOT) {
        return;
    }
    for (;;) {
        const uint32_t parent = t->entries[i].parent;

        if (t->entries[i].first != IMG_NONE) {
            i = t->entries[i].first; /* deepest first */
            continue;
        }
        remove_leaf(t, i);
        if (i == entry) {
            return;
        }
        i = parent;
    }
}

void img_tree_make_opaque(struct img_tree *t, uint32_t dir, uint16_t layer)
{
    uint32_t i = t->entries[dir].first;

    /* Preorder below `dir`: what an older layer gave goes with all it holds, the rest is entered.
     */
    while (i != IMG_NONE) {
        const uint32_t parent = t->entries[i].parent;
        uint32_t next = t->entries[i].next;

        if (t->entries[i].layer != layer) {
            img_tree_unlink(t, i);
        } else if (t->entries[i].first != IMG_NONE) {
            i = t->entries[i].first;
            continue;
        }
        for (uint32_t up = parent; next == IMG_NONE && up != dir; up = t->entries[up].parent) {
            next = t->entries[up].next;
        }
        i = next;
    }
}

void img_tree_touch(struct img_tree *t, uint32_t entry, uint16_t layer)
{
    while (t->entries[entry].layer != layer || entry == IMG_ROOT) {
        t->entries[entry].layer = layer;
        if (entry == IMG_ROOT) {
            return;
        }
        entry = t->entries[entry].parent;
    }
}

struct sort_key {
    const uint8_t *name;
    uint32_t entry;
    uint8_t size;
};

static int compare_names(const void *a, const void *b)
{
    const struct sort_key *ka = a;
    const struct sort_key *kb = b;
    const int c = memcmp(ka->name, kb->name, MIN(ka->size, kb->size));

    return c != 0 ? c : (int)ka->size - (int)kb->size;
}

static int sort_dir(struct img_tree *t, uint32_t dir, struct error **err)
{
    _cleanup_free_ struct sort_key *keys = NULL;
    size_t count = 0;
    size_t n = 0;

    for (uint32_t i = t->entries[dir].first; i != IMG_NONE; i = t->entries[i].next) {
        count++;
    }
    if (count < 2) {
        return 0;
    }
    keys = calloc(count, sizeof(*keys));
    if (keys == NULL) {
        return out_of_memory(err);
    }
    for (uint32_t i = t->entries[dir].first; i != IMG_NONE; i = t->entries[i].next) {
        keys[n++] = (struct sort_key){
            .name = t->arena + t->entries[i].name, .entry = i, .size = t->entries[i].name_size};
    }
    qsort(keys, count, sizeof(*keys), compare_names);
    t->entries[dir].first = keys[0].entry;
    for (size_t i = 0; i < count; i++) {
        struct img_entry *e = &t->entries[keys[i].entry];

        e->prev = i == 0 ? IMG_NONE : keys[i - 1].entry;
        e->next = i + 1 == count ? IMG_NONE : keys[i + 1].entry;
    }
    return 0;
}

int img_tree_sort(struct img_tree *t, struct error **err)
{
    for (uint32_t i = 0; i < t->entry_count; i++) {
        if (t->entries[i].inode != IMG_NONE && t->entries[i].first != IMG_NONE) {
            int r = sort_dir(t, i, err);

            if (r < 0) {
                return r;
            }
        }
    }
    return 0;
}

uint32_t img_tree_next(const struct img_tree *t, uint32_t e)
{
    if (t->entries[e].first != IMG_NONE) {
        return t->entries[e].first;
    }
    while (e != IMG_ROOT) {
        if (t->entries[e].next != IMG_NONE) {
            return t->entries[e].next;
        }
        e = t->entries[e].parent;
    }
    return IMG_NONE;
}

char *img_tree_path(const struct img_tree *t, uint32_t entry)
{
    size_t size = 0;
    char *path;

    for (uint32_t i = entry; i != IMG_ROOT; i = t->entries[i].parent) {
        size += t->entries[i].name_size + 1u;
    }
    if (size == 0) {
        return strdup(".");
    }
    path = malloc(size);
    if (path == NULL) {
        return NULL;
    }
    for (uint32_t i = entry; i != IMG_ROOT; i = t->entries[i].parent) {
        path[--size] = i == entry ? '\0' : '/';
        size -= t->entries[i].name_size;
        memcpy(path + size, name_of(t, &t->entries[i]), t->entries[i].name_size);
    }
    return path;
}
