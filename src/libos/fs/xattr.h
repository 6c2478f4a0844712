/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Extended attributes kept in memory (user.*, trusted.*, security.*), as tmpfs has them. */

#include "libos/fs/inode.h"

#define XATTRS_TOTAL_MAX ((size_t)1 << 20) /* per inode: names and values */

void xattrs_free(struct xattrs *x); /* NULL is fine */
/* By inode: the file system's own operations when it has them, else inode->xattrs. */
[[nodiscard]] int64_t xattr_get(struct inode *inode, const char *name, void *dst, size_t size);
[[nodiscard]] int64_t xattr_list(struct inode *inode, char *dst, size_t size);
[[nodiscard]] int xattr_set(struct inode *inode, const char *name, const void *src, size_t size,
                            int flags);
[[nodiscard]] int xattr_remove(struct inode *inode, const char *name);
