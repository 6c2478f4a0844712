/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/erofs_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/sealed_format.h"
#include "core/le.h"
#include "image/erofs_emit.h"

#define META_START (EROFS_SUPER_OFFSET + sizeof(struct erofs_super_block))

void erofs_plan_done(struct erofs_plan *p)
{
    free(p->order);
    *p = (struct erofs_plan){0};
}

static bool has_file_data(const struct img_inode *i)
{
    return img_is_reg(i) && i->size > 0;
}

/* By layer, then by position in the layer: the order in which data arrives. */
static int compare_sources(const void *a, const void *b, void *ctx)
{
    const struct img_tree *t = ctx;
    const struct img_inode *ia = &t->inodes[*(const uint32_t *)a];
    const struct img_inode *ib = &t->inodes[*(const uint32_t *)b];

    if (ia->layer != ib->layer) {
        return ia->layer < ib->layer ? -1 : 1;
    }
    return ia->source < ib->source ? -1 : ia->source > ib->source;
}

/* Every inode once, in tree order, those without file data first. nid serves as "seen" mark. */
static void collect(struct erofs_plan *p)
{
    struct img_tree *t = p->tree;

    for (uint32_t i = 0; i < t->inode_count; i++) {
        t->inodes[i].nid = 0;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
            struct img_inode *i = img_inode_of(t, e);

            if (i->nid == 0 && has_file_data(i) == (pass == 1)) {
                i->nid = 1;
                p->order[p->count++] = t->entries[e].inode;
            }
        }
        if (pass == 0) {
            p->first_file = p->count;
        }
    }
    qsort_r(p->order + p->first_file, p->count - p->first_file, sizeof(*p->order), compare_sources,
            t);
}

/* Directories count "." and the ".." of each directory inside them. */
static void count_dir_links(struct img_tree *t)
{
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        if (img_is_dir(img_inode_of(t, e))) {
            img_inode_of(t, e)->links = 2;
        }
    }
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        if (e != IMG_ROOT && img_is_dir(img_inode_of(t, e))) {
            img_inode_of(t, t->entries[e].parent)->links++;
        }
    }
}

static void choose_layout(struct erofs_plan *p, struct img_inode *i)
{
    const uint64_t header = sizeof(struct erofs_inode_extended) + i->xattr_size;
    uint64_t tail;

    if (img_is_dir(i)) {
        i->size = erofs_emit_dir_size(p->tree, i->target);
    }
    if (img_is_reg(i) && i->holes != IMG_NONE) {
        i->layout = EROFS_CHUNK_BASED;
        return;
    }
    /* A symbolic link is kept whole; of other files only the last, short part is inline. */
    tail = i->size % EROFS_BLOCK_SIZE;
    i->layout =
        tail > 0 && header + tail <= EROFS_BLOCK_SIZE && (tail <= IMG_INLINE_MAX || img_is_lnk(i))
            ? EROFS_FLAT_INLINE
            : EROFS_FLAT_PLAIN;
}

/* Puts an inode at the next place the format allows: no fixed part and no tail crosses a block. */
static uint64_t place(struct img_inode *i, uint64_t at)
{
    const uint64_t size = erofs_emit_inode_size(i);
    const bool tail = i->layout == EROFS_FLAT_INLINE;
    const uint64_t together =
        tail ? size + i->size % EROFS_BLOCK_SIZE : sizeof(struct erofs_inode_extended);

    at = (at + EROFS_NID_SIZE - 1) & ~(uint64_t)(EROFS_NID_SIZE - 1);
    if (at % EROFS_BLOCK_SIZE + together > EROFS_BLOCK_SIZE) {
        at = (at + EROFS_BLOCK_SIZE - 1) & ~(uint64_t)(EROFS_BLOCK_SIZE - 1);
    }
    i->nid = at / EROFS_NID_SIZE;
    return at + size + (tail ? i->size % EROFS_BLOCK_SIZE : 0);
}

static uint64_t blocks_of(const struct img_tree *t, const struct img_inode *i)
{
    if (i->layout == EROFS_CHUNK_BASED) {
        return erofs_emit_chunk_blocks(t, i);
    }
    if (!img_is_dir(i) && !img_is_reg(i) && !img_is_lnk(i)) {
        return 0;
    }
    return i->size / EROFS_BLOCK_SIZE +
           (i->layout == EROFS_FLAT_PLAIN && i->size % EROFS_BLOCK_SIZE > 0);
}

static int assign(struct erofs_plan *p, struct error **err)
{
    struct img_tree *t = p->tree;
    uint64_t at = META_START;
    uint64_t block;

    for (uint32_t n = 0; n < p->count; n++) {
        struct img_inode *i = &t->inodes[p->order[n]];

        choose_layout(p, i);
        at = place(i, at);
    }
    block = (at + EROFS_BLOCK_SIZE - 1) / EROFS_BLOCK_SIZE;
    p->dir_block = block;
    for (uint32_t n = 0; n < p->count; n++) {
        struct img_inode *i = &t->inodes[p->order[n]];
        const uint64_t blocks = blocks_of(t, i);

        if (n == p->first_file) {
            p->data_block = block;
        }
        i->blkaddr = blocks > 0 ? (uint32_t)block : 0;
        block += blocks;
        p->data_bytes += n >= p->first_file ? i->size : 0;
        if (block > SEALED_BLOCKS_MAX) {
            return error_set(err, EFBIG, "the image needs more than %llu blocks of 4 KiB (16 TiB)",
                             (unsigned long long)SEALED_BLOCKS_MAX);
        }
    }
    if (p->first_file == p->count) {
        p->data_block = block;
    }
    p->block_count = block;
    return 0;
}

static int hash_bytes(void *ctx, const void *data, size_t size, struct error **err)
{
    sha256_update(ctx, data, size);
    return 0;
}

static int hash_layout(struct erofs_plan *p, struct error **err)
{
    struct sha256 ctx;

    sha256_init(&ctx);
    for (uint32_t n = 0; n < p->count; n++) {
        const struct img_inode *i = &p->tree->inodes[p->order[n]];
        uint8_t nid[8];
        int r;

        le64_store(nid, i->nid);
        sha256_update(&ctx, nid, sizeof(nid));
        r = erofs_emit_inode(p->tree, i, n + 1, hash_bytes, &ctx, err);
        if (r == 0 && img_is_dir(i)) {
            r = erofs_emit_dir(p->tree, i->target, hash_bytes, &ctx, err);
        } else if (r == 0 && img_is_lnk(i)) {
            sha256_update(&ctx, img_arena(p->tree, i->target), (size_t)i->size);
        }
        if (r < 0) {
            return r;
        }
    }
    sha256_final(&ctx, p->layout);
    return 0;
}

int erofs_plan_make(struct img_tree *tree, struct erofs_plan *ret, struct error **err)
{
    _cleanup_erofs_plan_ struct erofs_plan p = {.tree = tree};
    int r;

    p.order = calloc(tree->inode_count, sizeof(*p.order));
    if (p.order == NULL) {
        return error_set_errno(err, ENOMEM, "laying out the image");
    }
    r = img_tree_sort(tree, err);
    if (r < 0) {
        return r;
    }
    count_dir_links(tree);
    collect(&p);
    r = assign(&p, err);
    if (r == 0) {
        r = hash_layout(&p, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = p;
    p.order = NULL;
    return 0;
}
