/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Trees and EROFS images for tests: made by hand, written through a counting sink into memory, and
 * compared with what the reader says. */

#include "image/erofs_write.h"
#include "image/tree.h"
#include "seal/erofs.h"

struct mem_image {
    uint8_t *data;
    uint64_t blocks;
    uint8_t *written; /* times each block was put */
    uint64_t puts;
    uint64_t fail_at; /* the n-th put fails; 0 never */
};

void mem_image_done(struct mem_image *m);
struct img_sink mem_image_sink(struct mem_image *m);
extern const struct erofs_io mem_image_io;

/* Adds an entry under `dir`. Regular files get `size` bytes of file_pattern(). */
uint32_t tree_add(struct img_tree *t, uint32_t dir, const char *name, uint32_t mode, uint64_t size);
uint32_t tree_add_link(struct img_tree *t, uint32_t dir, const char *name, const char *target);
void tree_add_xattr(struct img_tree *t, uint32_t entry, const char *name, const void *value,
                    size_t size);

/* The bytes of a file: depends on its source number; zero where `holes` says so. */
void file_pattern(const struct img_tree *t, const struct img_inode *i, uint64_t offset,
                  uint8_t *dst, size_t size);

/* Plans and writes; every block must have been put exactly once. */
void write_image(struct img_tree *t, struct mem_image *ret);

/* Walks tree and image side by side through the reader: attributes, data, names, lookups. */
void compare_image(const struct img_tree *t, struct mem_image *m);
