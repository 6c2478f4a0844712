/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A sealed image made by the host's own writer, opened by the library OS's reader, and walked
 * whole: what is read is right or it is an error. */

#include "image/tree.h"
#include "libos/fs/sealed/sealed.h"

struct sealed_image {
    struct img_tree tree;
    uint8_t *data; /* the blob */
    size_t size;
    uint64_t blocks;
    uint8_t key[SEALED_KEY_SIZE];
    uint8_t root[SEALED_HASH_SIZE];
    char path[64]; /* where it was made */
};

/* Every kind of file; `big` bytes for the largest. `seed` makes other keys. */
void sealed_image_make(struct sealed_image *s, uint64_t big, uint8_t seed);
void sealed_image_done(struct sealed_image *s);

/* Writes `size` bytes of the blob and mounts them; the descriptor is closed by the unlink of the
 * mount. */
int sealed_image_open(struct sealed_image *s, size_t size, const uint8_t *key, const uint8_t *root,
                      uint64_t cache, int *ret_fd, struct superblock **ret);

struct walk_result {
    uint64_t files;
    uint64_t good_bytes;
    uint64_t errors; /* EIO */
    uint64_t no_memory;
};
/* Fails the test on wrong data, names or attributes, or an error other than EIO and ENOMEM. */
void sealed_walk(struct sealed_image *s, struct superblock *sb, struct walk_result *ret);
/* The inode of a path below the root, with a reference, or NULL. */
struct inode *sealed_find(struct superblock *sb, const char *path);
