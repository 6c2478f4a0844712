/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A sealed image as a read-only file system (docs/formats/sealed-image.md). The host maps the blob
 * and may change any byte of it at any time: a block is copied in, opened with its authentic tag
 * and kept in a bounded cache; reads of what is there never leave the enclave. Whatever was changed
 * is EIO to the application and one line for the audit, never wrong data.
 */

#include "abi/sealed_format.h"
#include "libos/fs/inode.h"

#define SEALED_CACHE_DEFAULT ((uint64_t)1 << 30)

struct sealed_options {
    int fd;             /* of the host; stays open as long as the file system */
    const uint8_t *key; /* SEALED_KEY_SIZE bytes, borrowed for the call */
    /* SEALED_HASH_SIZE bytes, or NULL: any image of this key. */
    const uint8_t *root;
    uint64_t cache_max; /* bytes of opened blocks; 0: sealed_default_cache() without a limit */
};

/* A quarter of the memory an enclave may use, at most SEALED_CACHE_DEFAULT. */
uint64_t sealed_default_cache(uint64_t memory_limit);

/* Checks the superblock against key and root and reads the root directory. The reason of a failure
 * is logged. -EKEYREJECTED: another key or another image; -EBADMSG: changed; -EPROTONOSUPPORT. */
[[nodiscard]] int sealed_create(const struct sealed_options *options, struct superblock **ret);

struct sealed_stats {
    uint64_t opened;  /* blocks decrypted */
    uint64_t faults;  /* changed bytes found */
    uint64_t evicted; /* blocks dropped for others */
    uint64_t passed;  /* blocks that went with the one reader they were opened for */
    uint64_t bytes;   /* of the cache now */
};
void sealed_stats(struct superblock *sb, struct sealed_stats *ret);
