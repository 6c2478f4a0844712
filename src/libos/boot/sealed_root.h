/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/inode.h"

/*
 * The sealed root the launch parameters name, or *ret stays NULL when they name none. Developer
 * mode, unprotected: the sealing key comes from the host in clear ("sealed-key"), and so does the
 * root it is checked against ("sealed-root"); the reader, its verification and its cache are those
 * of a protected start. "sealed-cache" bounds the cache in bytes.
 */
[[nodiscard]] int boot_sealed_root(struct superblock **ret);
