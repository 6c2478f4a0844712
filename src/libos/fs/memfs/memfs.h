/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* tmpfs: directories, files, links and special files in enclave memory. Pages come with the first
 * write to them; holes cost nothing. */

#include "libos/fs/inode.h"

struct memfs_options {
    uint32_t mode;      /* of the root: 01777 for /tmp */
    uint64_t max_bytes; /* 0: no limit but memory */
    uint32_t flags;     /* SB_* */
};

[[nodiscard]] int memfs_create(const struct memfs_options *options, struct superblock **ret);

/* A file or directory that no directory names (memfd, the upper side of an overlay). */
[[nodiscard]] int memfs_new_inode(struct superblock *sb, const struct inode_new *what,
                                  struct inode **ret);
/* The file system of memfd files and overlay uppers, made at first use. */
[[nodiscard]] int memfs_internal(struct superblock **ret);
/* Bytes held by all memfs pages. */
uint64_t memfs_bytes_used(void);
