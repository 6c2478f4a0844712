/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A writable view of a read-only file system: what is changed lives in enclave memory, what is
 * removed is remembered as removed. Inode numbers stay what they were when a file is copied up, and
 * all hard links of a file see the copy.
 */

#include "libos/fs/inode.h"

[[nodiscard]] int overlay_create(struct superblock *lower, struct superblock **ret);
