/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/fs/pagetree.h"

#include "libos/mm/kmem.h"

#define SHIFT 6
#define FAN   (1u << SHIFT)

/* Level 1 nodes hold pages, higher ones hold nodes. `used` lets empty nodes go. */
struct node {
    uint32_t used;
    void *slot[FAN];
};

struct file_page *page_alloc(void)
{
    struct file_page *p = kmalloc(sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->data = kpages_alloc(1);
    if (p->data == NULL) {
        kfree(p);
        return NULL;
    }
    __builtin_memset(p->data, 0, NACRE_PAGE_SIZE);
    ref_init(&p->refs);
    return p;
}

void page_put(struct file_page *p)
{
    if (p != NULL && ref_put(&p->refs)) {
        kpages_free(p->data, 1);
        kfree(p);
    }
}

/* How many indices a tree of this height covers, minus one. */
static uint64_t max_index(uint32_t height)
{
    return height * SHIFT >= 64 ? UINT64_MAX : (1ull << (height * SHIFT)) - 1;
}

static uint32_t slot_of(uint64_t index, uint32_t level)
{
    return (uint32_t)(index >> ((level - 1) * SHIFT)) & (FAN - 1);
}

struct file_page *pagetree_get(const struct pagetree *t, uint64_t index)
{
    struct node *n = t->root;

    if (t->height == 0 || index > max_index(t->height)) {
        return NULL;
    }
    for (uint32_t level = t->height; n != NULL; level--) {
        void *next = n->slot[slot_of(index, level)];

        if (level == 1) {
            return next;
        }
        n = next;
    }
    return NULL;
}

int pagetree_insert(struct pagetree *t, uint64_t index, struct file_page *p)
{
    if (t->height == 0) {
        t->root = kzalloc(sizeof(struct node));
        if (t->root == NULL) {
            return -ENOMEM;
        }
        t->height = 1;
    }
    while (index > max_index(t->height)) {
        struct node *top = kzalloc(sizeof(*top));

        if (top == NULL) {
            return -ENOMEM;
        }
        top->slot[0] = t->root;
        top->used = 1;
        t->root = top;
        t->height++;
    }
    struct node *n = t->root;

    for (uint32_t level = t->height; level > 1; level--) {
        void **slot = &n->slot[slot_of(index, level)];

        if (*slot == NULL) {
            *slot = kzalloc(sizeof(struct node));
            if (*slot == NULL) {
                return -ENOMEM;
            }
            n->used++;
        }
        n = *slot;
    }
    void **leaf = &n->slot[slot_of(index, 1)];

    if (*leaf != NULL) {
        return -EEXIST;
    }
    *leaf = p;
    n->used++;
    t->count++;
    return 0;
}

/* Removes [first, last], indices relative to this node. True when the node is empty afterwards. */
static bool remove_in(struct pagetree *t, struct node *n, uint32_t level, uint64_t first,
                      uint64_t last)
{
    uint32_t shift = (level - 1) * SHIFT;
    uint32_t lo = (uint32_t)(first >> shift);
    uint32_t hi = (uint32_t)MIN(last >> shift, (uint64_t)FAN - 1);
    uint64_t mask = shift == 0 ? 0 : (1ull << shift) - 1;

    for (uint32_t i = lo; i <= hi; i++) {
        if (n->slot[i] == NULL) {
            continue;
        }
        if (level == 1) {
            page_put(n->slot[i]);
            t->count--;
        } else {
            uint64_t from = i == lo ? first & mask : 0;
            uint64_t to = i == (last >> shift) ? last & mask : mask;

            if (!remove_in(t, n->slot[i], level - 1, from, to)) {
                continue;
            }
            kfree(n->slot[i]);
        }
        n->slot[i] = NULL;
        n->used--;
    }
    return n->used == 0;
}

void pagetree_remove_range(struct pagetree *t, uint64_t first, uint64_t last)
{
    if (t->height == 0 || first > last || first > max_index(t->height)) {
        return;
    }
    last = MIN(last, max_index(t->height));
    if (remove_in(t, t->root, t->height, first, last)) {
        kfree(t->root);
        t->root = NULL;
        t->height = 0;
    }
}

/* Smallest present index >= first under this node (indices relative to it). */
static bool next_in(const struct node *n, uint32_t level, uint64_t first, uint64_t *ret)
{
    uint32_t shift = (level - 1) * SHIFT;
    uint64_t mask = shift == 0 ? 0 : (1ull << shift) - 1;

    for (uint32_t i = (uint32_t)(first >> shift); i < FAN; i++) {
        uint64_t below = 0;

        if (n->slot[i] == NULL) {
            continue;
        }
        if (level == 1) {
            *ret = i;
            return true;
        }
        if (next_in(n->slot[i], level - 1, i == (first >> shift) ? first & mask : 0, &below)) {
            *ret = ((uint64_t)i << shift) | below;
            return true;
        }
    }
    return false;
}

bool pagetree_next(const struct pagetree *t, uint64_t index, uint64_t *ret)
{
    if (t->height == 0 || index > max_index(t->height)) {
        return false;
    }
    return next_in(t->root, t->height, index, ret);
}

uint64_t pagetree_next_hole(const struct pagetree *t, uint64_t index)
{
    while (pagetree_get(t, index) != NULL) {
        index++;
    }
    return index;
}
