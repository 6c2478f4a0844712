/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Mappings of the application, ordered by address: an AVL tree that also knows, for each subtree,
 * the largest gap below one of its members, so that room is found in logarithmic time. Pure data:
 * no locks, no pages.
 */

#include "core/types.h"

struct file;
struct shm_object;

struct vma {
    uint64_t start; /* page aligned, start < end */
    uint64_t end;
    uint32_t prot;             /* PROT_READ | PROT_WRITE | PROT_EXEC */
    uint32_t flags;            /* VMA_* */
    struct file *file;         /* one reference, or NULL */
    struct shm_object *object; /* shared memory of the family (shm/local.h), or NULL */
    uint64_t offset;           /* of `start`, in the file or the object */
    const char *name;          /* "[heap]", "[stack]", "[vdso]" or NULL; static */
    /* the tree's */
    struct vma *left, *right, *parent;
    int32_t height;
    uint64_t gap;     /* start - end of the previous mapping (or the lower bound) */
    uint64_t max_gap; /* largest gap in the subtree */
};

#define VMA_SHARED    0x01u
#define VMA_GROWSDOWN 0x02u
#define VMA_NORESERVE 0x04u
#define VMA_LOCKED    0x08u
#define VMA_MAYWRITE  0x10u /* shared file mapping of a file opened for writing */
#define VMA_INTERNAL  0x20u /* trampolines: the application cannot change it */
#define VMA_WIPEFORK  0x40u
#define VMA_DONTFORK  0x80u
#define VMA_EAGER     0x100u /* populated when made */
#define VMA_NODUMP    0x200u
#define VMA_SHARED_ANON \
    0x400u /* MAP_SHARED without a file: shown to children from the first fork on */

#define VMA_SYSV 0x800u /* shmat: what shmdt looks for */

struct vma_tree {
    struct vma *root;
    uint64_t low; /* mappings lie within [low, high) */
    uint64_t high;
    size_t count;
};

void vma_tree_init(struct vma_tree *t, uint64_t low, uint64_t high);
/* The mapping that contains `address`, else the first above it; NULL: none. */
struct vma *vma_find(const struct vma_tree *t, uint64_t address);
struct vma *vma_first(const struct vma_tree *t);
struct vma *vma_next(const struct vma *v);
struct vma *vma_prev(const struct vma *v);
/* `v` must overlap nothing. */
void vma_insert(struct vma_tree *t, struct vma *v);
void vma_remove(struct vma_tree *t, struct vma *v);
/* Moves a border of a mapping that stays clear of its neighbours. */
void vma_resize(struct vma_tree *t, struct vma *v, uint64_t start, uint64_t end);
/* The highest free range of `size` bytes that ends at or below `high` and starts at or above `low`;
 * 0: none. */
uint64_t vma_find_gap(const struct vma_tree *t, uint64_t size, uint64_t low, uint64_t high);
/* Nothing mapped in [start, end)? */
bool vma_range_free(const struct vma_tree *t, uint64_t start, uint64_t end);
