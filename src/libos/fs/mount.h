/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between dentry.c, mount.c and path.c. */

#include "libos/fs/dentry.h"

[[nodiscard]] int dentry_make_root(struct superblock *sb, struct dentry **ret);
void dcache_reset(void);
/* Steps from a directory that mounts cover to the root of the topmost. */
static inline void mount_cross(struct path *p)
{
    while (p->dentry->mounted != NULL) {
        p->mnt = p->dentry->mounted;
        p->dentry = p->mnt->root;
    }
}
