/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/mm/vma.h"

void vma_tree_init(struct vma_tree *t, uint64_t low, uint64_t high)
{
    *t = (struct vma_tree){.low = low, .high = high};
}

struct vma *vma_find(const struct vma_tree *t, uint64_t address)
{
    struct vma *best = NULL;

    for (struct vma *v = t->root; v != NULL;) {
        if (address < v->end) {
            best = v;
            if (address >= v->start) {
                break;
            }
            v = v->left;
        } else {
            v = v->right;
        }
    }
    return best;
}

struct vma *vma_first(const struct vma_tree *t)
{
    struct vma *v = t->root;

    while (v != NULL && v->left != NULL) {
        v = v->left;
    }
    return v;
}

static struct vma *vma_last(const struct vma_tree *t)
{
    struct vma *v = t->root;

    while (v != NULL && v->right != NULL) {
        v = v->right;
    }
    return v;
}

struct vma *vma_next(const struct vma *v)
{
    if (v->right != NULL) {
        struct vma *n = v->right;

        while (n->left != NULL) {
            n = n->left;
        }
        return n;
    }
    while (v->parent != NULL && v == v->parent->right) {
        v = v->parent;
    }
    return v->parent;
}

struct vma *vma_prev(const struct vma *v)
{
    if (v->left != NULL) {
        struct vma *n = v->left;

        while (n->right != NULL) {
            n = n->right;
        }
        return n;
    }
    while (v->parent != NULL && v == v->parent->left) {
        v = v->parent;
    }
    return v->parent;
}

/* ---- balance ---- */

static int32_t height(const struct vma *v)
{
    return v == NULL ? 0 : v->height;
}

static uint64_t max_gap(const struct vma *v)
{
    return v == NULL ? 0 : v->max_gap;
}

static void update(struct vma *v)
{
    v->height = 1 + MAX(height(v->left), height(v->right));
    v->max_gap = MAX(v->gap, MAX(max_gap(v->left), max_gap(v->right)));
}

static void set_child(struct vma_tree *t, struct vma *parent, const struct vma *old,
                      struct vma *child)
{
    if (parent == NULL) {
        t->root = child;
    } else if (parent->left == old) {
        parent->left = child;
    } else {
        parent->right = child;
    }
    if (child != NULL) {
        child->parent = parent;
    }
}

static struct vma *rotate_left(struct vma_tree *t, struct vma *v)
{
    struct vma *r = v->right;

    set_child(t, v->parent, v, r);
    v->right = r->left;
    if (v->right != NULL) {
        v->right->parent = v;
    }
    r->left = v;
    v->parent = r;
    update(v);
    update(r);
    return r;
}

static struct vma *rotate_right(struct vma_tree *t, struct vma *v)
{
    struct vma *l = v->left;

    set_child(t, v->parent, v, l);
    v->left = l->right;
    if (v->left != NULL) {
        v->left->parent = v;
    }
    l->right = v;
    v->parent = l;
    update(v);
    update(l);
    return l;
}

/* From a changed node up to the root: heights, gaps and balance. */
static void repair(struct vma_tree *t, struct vma *v)
{
    while (v != NULL) {
        const int32_t lean = height(v->left) - height(v->right);

        if (lean > 1) {
            if (height(v->left->left) < height(v->left->right)) {
                (void)rotate_left(t, v->left);
            }
            v = rotate_right(t, v);
        } else if (lean < -1) {
            if (height(v->right->right) < height(v->right->left)) {
                (void)rotate_right(t, v->right);
            }
            v = rotate_left(t, v);
        } else {
            update(v);
        }
        v = v->parent;
    }
}

static void set_gap(const struct vma_tree *t, struct vma *v)
{
    const struct vma *prev = vma_prev(v);

    v->gap = v->start - (prev == NULL ? t->low : prev->end);
}

static void gaps_up(struct vma *v)
{
    for (; v != NULL; v = v->parent) {
        update(v);
    }
}

void vma_insert(struct vma_tree *t, struct vma *v)
{
    struct vma **at = &t->root;
    struct vma *parent = NULL;
    struct vma *next;

    while (*at != NULL) {
        parent = *at;
        at = v->start < parent->start ? &parent->left : &parent->right;
    }
    v->left = NULL;
    v->right = NULL;
    v->parent = parent;
    *at = v;
    set_gap(t, v);
    repair(t, v);
    next = vma_next(v);
    if (next != NULL) {
        set_gap(t, next);
        gaps_up(next);
    }
    t->count++;
}

void vma_remove(struct vma_tree *t, struct vma *v)
{
    struct vma *next = vma_next(v);
    struct vma *from;

    if (v->left != NULL && v->right != NULL) {
        /* `next` is the leftmost of the right subtree: it takes v's place. */
        from = next->parent == v ? next : next->parent;
        if (next->parent != v) {
            set_child(t, next->parent, next, next->right);
            next->right = v->right;
            next->right->parent = next;
        }
        next->left = v->left;
        next->left->parent = next;
        set_child(t, v->parent, v, next);
    } else {
        from = v->parent;
        set_child(t, v->parent, v, v->left != NULL ? v->left : v->right);
    }
    repair(t, from);
    if (next != NULL) {
        set_gap(t, next);
        gaps_up(next);
    }
    v->left = NULL;
    v->right = NULL;
    v->parent = NULL;
    t->count--;
}

void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end)
{
    struct vma *next = vma_next(v);

    v->start = start;
    v->end = end;
    set_gap(t, v);
    gaps_up(v);
    if (next != NULL) {
        set_gap(t, next);
        gaps_up(next);
    }
}

/* Takes [.., gap_end) of a gap as high as the bounds allow; 0: too small. */
static uint64_t fit(uint64_t gap_start, uint64_t gap_end, uint64_t size, uint64_t low,
                    uint64_t high)
{
    gap_start = MAX(gap_start, low);
    gap_end = MIN(gap_end, high);
    if (gap_end < gap_start || gap_end - gap_start < size) {
        return 0;
    }
    return gap_end - size;
}

/* Highest fitting gap of a subtree; gaps are those below its members. Depth is the tree's. */
static uint64_t search(const struct vma *v, uint64_t size, uint64_t low, uint64_t high)
{
    uint64_t r;

    if (v == NULL || v->max_gap < size) {
        return 0;
    }
    if (v->end < high) {
        r = search(v->right, size, low, high);
        if (r != 0) {
            return r;
        }
    }
    if (v->gap >= size) {
        r = fit(v->start - v->gap, v->start, size, low, high);
        if (r != 0) {
            return r;
        }
    }
    if (v->start <= low) {
        return 0;
    }
    return search(v->left, size, low, high);
}

uint64_t vma_find_gap(const struct vma_tree *t, uint64_t size, uint64_t low, uint64_t high)
{
    const struct vma *last = vma_last(t);
    uint64_t r;

    if (size == 0) {
        return 0;
    }
    low = MAX(low, t->low);
    high = MIN(high, t->high);
    r = fit(last == NULL ? t->low : last->end, t->high, size, low, high);
    return r != 0 ? r : search(t->root, size, low, high);
}

bool vma_range_free(const struct vma_tree *t, uint64_t start, uint64_t end)
{
    const struct vma *v = vma_find(t, start);

    return v == NULL || v->start >= end;
}
