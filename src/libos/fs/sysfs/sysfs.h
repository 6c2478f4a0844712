/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* /sys: processors and cgroup limits, as runtimes read them to size their pools. */

#include "libos/fs/file.h"

[[nodiscard]] int sysfs_create(const struct fs_config *c, struct superblock **ret);
