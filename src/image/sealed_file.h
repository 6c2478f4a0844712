/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A sealed image on disk, opened for reading: the shared verifying reader over a file, with a small
 * cache of opened blocks. Not thread-safe. */

#include "base/error.h"
#include "seal/seal.h"

struct sealed_file;

/* `sealing_key` and `pinned_root` as in seal_open(). -EKEYREJECTED and -EBADMSG say what is wrong
 * and where. */
[[nodiscard]] int sealed_file_open(const char *path, const uint8_t *sealing_key,
                                   const uint8_t *pinned_root, struct sealed_file **ret,
                                   struct error **err);
/* The same from an open file; `fd` is taken whatever happens, `name` is for messages. */
[[nodiscard]] int sealed_file_open_fd(int fd, const char *name, const uint8_t *sealing_key,
                                      const uint8_t *pinned_root, struct sealed_file **ret,
                                      struct error **err);
struct sealed_file *sealed_file_free(struct sealed_file *f);
static inline void sealed_file_freep(struct sealed_file **f)
{
    *f = sealed_file_free(*f);
}
#define _cleanup_sealed_file_ _cleanup_(sealed_file_freep)

uint64_t sealed_file_block_count(const struct sealed_file *f);
uint64_t sealed_file_size(const struct sealed_file *f);
/* The sealed root, SEALED_HASH_SIZE bytes. Borrowed. */
const uint8_t *sealed_file_root(const struct sealed_file *f);

/* Opens one block into the cache. *ret_data is borrowed and valid until the next
 * SEALED_FILE_CACHE_BLOCKS blocks were read. */
#define SEALED_FILE_CACHE_BLOCKS 1024u
[[nodiscard]] int sealed_file_get(struct sealed_file *f, uint64_t block, const uint8_t **ret_data);

/* Opens one block past the cache, for sequential readers. */
[[nodiscard]] int sealed_file_read_block(struct sealed_file *f, uint64_t block,
                                         uint8_t dst[static SEALED_BLOCK_SIZE]);
[[nodiscard]] int sealed_file_verify_tree(struct sealed_file *f);

/* Turns the reader's last fault into a message; returns `code`. */
int sealed_file_error(const struct sealed_file *f, int code, struct error **err);
