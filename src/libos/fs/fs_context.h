/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What of the file system belongs to a process: root, working directory, umask. */

#include "libos/fs/dentry.h"

struct process;

struct fs_context {
    struct spinlock lock;
    struct path root; /* references */
    struct path cwd;
    uint32_t umask;
};

/* Gives a process an empty descriptor table and a context; before fs_init, root is empty. */
[[nodiscard]] int fs_process_init(struct process *p);
/* fork: copies of both. */
[[nodiscard]] int fs_process_clone(const struct process *from, struct process *to);
void fs_process_exit(struct process *p);

/* Copies with references. */
void fs_get_root(struct path *ret);
void fs_get_cwd(struct path *ret);
void fs_set_root(const struct path *p);
void fs_set_cwd(const struct path *p);
uint32_t fs_umask(void);
/* Root and working directory are the root of everything again. */
void fs_forget_paths(void);
