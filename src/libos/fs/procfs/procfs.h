/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* /proc: the process itself, what runtimes ask about the system, and of other processes of the
 * family what the owner's table knows. */

#include "libos/fs/pseudo.h"

[[nodiscard]] int procfs_create(const struct fs_config *c, struct superblock **ret);

/* What /proc and /sys agree on. */
uint32_t procfs_cpus(void);
uint64_t procfs_memory_limit(void); /* bytes; 0: none */
uint64_t procfs_memory_used(void);

/* The directory of another process. -ENOENT. */
[[nodiscard]] int procfs_find_other(int32_t pid, const struct pseudo_entry **ret);

/* The tables of the other files. */
extern const struct pseudo_entry procfs_self[]; /* /proc/PID */
extern const struct pseudo_entry procfs_sys[];  /* /proc/sys */
extern const struct pseudo_entry procfs_net[];  /* /proc/net */
