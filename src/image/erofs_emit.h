/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The bytes of EROFS metadata, made from a planned tree. Shared by the plan (which hashes them) and
 * the writer (which stores them). */

#include "image/tree.h"
#include "seal/erofs_format.h"

/* Bytes of an inode with attributes and chunk map, without an inline tail. */
uint64_t erofs_emit_inode_size(const struct img_inode *i);

/* Takes bytes of metadata in order. */
typedef int (*erofs_emit_fn)(void *ctx, const void *data, size_t size, struct error **err);

/* Emits exactly erofs_emit_inode_size() bytes. `number` becomes i_ino. */
[[nodiscard]] int erofs_emit_inode(const struct img_tree *t, const struct img_inode *i,
                                   uint32_t number, erofs_emit_fn emit, void *ctx,
                                   struct error **err);

/* Bytes of a directory's content. */
uint64_t erofs_emit_dir_size(const struct img_tree *t, uint32_t dir);

/* Emits the content of a directory, one call a block; the last may be short. */
[[nodiscard]] int erofs_emit_dir(const struct img_tree *t, uint32_t dir, erofs_emit_fn emit,
                                 void *ctx, struct error **err);

/* Data blocks a chunk-based file really has. */
uint64_t erofs_emit_chunk_blocks(const struct img_tree *t, const struct img_inode *i);
bool erofs_emit_chunk_present(const struct img_tree *t, const struct img_inode *i, uint64_t chunk);
