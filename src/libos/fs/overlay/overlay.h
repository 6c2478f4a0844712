/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A writable view of a read-only file system: what is changed lives in enclave memory, what is
 * removed is remembered as removed. Inode numbers stay what they were when a file is copied up, and
 * all hard links of a file see the copy.
 */

#include "libos/fs/inode.h"

/*
 * For a family of processes (family/remote_lower.c): what was never changed is the same in every
 * process's own lower, so nobody has to ask. An inode of the lower is `touched` from its first
 * change on (content, attributes, or names in a directory).
 */
/* Called before the first change of a lower inode; when it returns nobody relies on the lower's
 * state any more. NULL: nobody does. */
void overlay_set_watcher(void (*about_to_touch)(struct superblock *sb, uint64_t ino));
bool overlay_is(const struct superblock *sb);
/* The lower inode that `inode` still is like in all respects (borrowed), or NULL. */
struct inode *overlay_untouched(struct inode *inode);
/* Numbers of touched inodes from the `from`-th on, at most `max`. */
size_t overlay_touched(struct superblock *sb, size_t from, uint64_t *ret, size_t max);

[[nodiscard]] int overlay_create(struct superblock *lower, struct superblock **ret);
