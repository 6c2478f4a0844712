/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* /dev: the devices every program expects. Random numbers come from the processor. */

#include "libos/fs/inode.h"

[[nodiscard]] int devfs_create(struct superblock **ret);
