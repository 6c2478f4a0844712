/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A directory of the host as a file system: unprotected, and marked so. Two kinds: read-only with
 * the promise that it does not change (the developer root; names, attributes and contents are kept
 * once seen) and read-write pass-through (every question goes to the host).
 */

#include "libos/fs/file.h"

#define HOSTFS_CACHE_DEFAULT ((size_t)256 << 20)
#define HOSTFS_DIR_MAX       (1u << 20) /* entries of one directory */
#define HOSTFS_OPEN_MAX      256u       /* host descriptors kept for read-only files */

/* Takes the descriptor over. */
[[nodiscard]] int hostfs_create(int root_fd, bool writable, struct superblock **ret);
/* Bytes of file content kept, over all read-only host file systems. */
void hostfs_set_cache_max(size_t bytes);

/* A descriptor the host gave us (standard streams) as a file. Takes it over. */
[[nodiscard]] int hoststream_open(int host_fd, uint32_t flags, struct file **ret);
