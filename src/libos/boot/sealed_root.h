/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/inode.h"

struct manifest;

/* The measured manifest at `data`, or *ret_have false when size is 0. */
[[nodiscard]] int boot_manifest(const void *data, size_t size, struct manifest *ret,
                                bool *ret_have);

/*
 * The sealed root the launch parameters name, or *ret stays NULL when they name none. Developer
 * mode, unprotected: the sealing key comes from the host in clear ("sealed-key"), and so does the
 * root it is checked against ("sealed-root"); the reader, its verification and its cache are those
 * of a protected start. "sealed-cache" bounds the cache in bytes.
 * A manifest (or NULL) that pins a root overrides the launch parameters, and there must be an
 * image.
 */
[[nodiscard]] int boot_sealed_root(const struct manifest *m, struct superblock **ret);

/* How wide AES-GCM may be in this enclave, by the launch parameters' hint; at every start. */
void boot_choose_vector_width(void);

/* A sealed image behind a host descriptor, with the launch parameters' hint about the processor and
 * their cache size. `root` may be NULL: any image of this key. */
[[nodiscard]] int boot_sealed_open(int fd, const uint8_t *key, const uint8_t *root,
                                   struct superblock **ret);

/* Puts the host directory of the launch parameters below the sealed file system *root
 * (MANIFEST_HOST_BELOW), which becomes both. */
[[nodiscard]] int boot_host_below(struct superblock **root);
