/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Lays an image tree out as EROFS before a single data byte is seen: sizes are enough. The result
 * is
 *
 *   block 0 …            superblock, then inodes with their attributes, chunk maps and inline
 * tails: first everything without file data in tree order, then regular files in the order their
 * data will arrive directory blocks file data            in the order of arrival
 *
 * so that all three parts are written as plain streams. The digest of all this metadata goes into
 * the sealing key.
 */

#include "core/sha256.h"
#include "image/tree.h"

/* Tails up to this size live behind their inode. Longer ones would waste more by not fitting into
 * the rest of a block than they save. */
#define IMG_INLINE_MAX 2048u

struct erofs_plan {
    struct img_tree *tree; /* borrowed */
    uint32_t *order;       /* inodes, in the order of the metadata area */
    uint32_t count;
    uint32_t first_file; /* index of the first inode with file data */
    uint64_t dir_block;  /* first block of directories */
    uint64_t data_block; /* first block of file data */
    uint64_t block_count;
    uint64_t data_bytes; /* file bytes that will arrive */
    uint8_t layout[SHA256_SIZE];
};

/* Sorts the tree and sets nid, blkaddr and layout of its inodes. The tree must not change after.
 * -EFBIG when the image would not fit. */
[[nodiscard]] int erofs_plan_make(struct img_tree *tree, struct erofs_plan *ret,
                                  struct error **err);
void erofs_plan_done(struct erofs_plan *p);
#define _cleanup_erofs_plan_ _cleanup_(erofs_plan_done)
