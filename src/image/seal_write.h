/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Writes a sealed image block by block, in any order, each block exactly once: a nonce is a block
 * number, and no nonce is used twice. Bounded memory: one bit a block and a few batches of
 * ciphertext.
 */

#include "image/sink.h"
#include "seal/seal.h"

struct seal_writer;

/* Starts `path` (unnamed until seal_writer_finish). The key and salt are copied. */
[[nodiscard]] int seal_writer_new(const char *path, uint64_t block_count,
                                  const uint8_t sealing_key[static SEALED_KEY_SIZE],
                                  const uint8_t salt[static SEALED_SALT_SIZE],
                                  struct seal_writer **ret, struct error **err);

/* The same into a scratch file in the directory of `beside`, which never gets a name. */
[[nodiscard]] int seal_writer_new_scratch(const char *beside, uint64_t block_count,
                                          const uint8_t sealing_key[static SEALED_KEY_SIZE],
                                          const uint8_t salt[static SEALED_SALT_SIZE],
                                          struct seal_writer **ret, struct error **err);
/* Its descriptor after seal_writer_finish(): the caller's. */
[[nodiscard]] int seal_writer_take_fd(struct seal_writer *w);

/* Encrypts and stores `count` blocks. As struct img_sink's put. A write may fail later: that is
 * told by the next call. */
[[nodiscard]] int seal_writer_put(struct seal_writer *w, uint64_t block, const uint8_t *data,
                                  size_t count, struct error **err);
struct img_sink seal_writer_sink(struct seal_writer *w);

/* Waits until what was put is written, or is not. */
[[nodiscard]] int seal_writer_wait(struct seal_writer *w, struct error **err);

/* Writes tree and superblock and names the file. -EINVAL when a block was never stored. */
[[nodiscard]] int seal_writer_finish(struct seal_writer *w,
                                     uint8_t ret_root[static SEALED_HASH_SIZE], struct error **err);

/* Wipes the keys; drops the file unless it was finished. */
struct seal_writer *seal_writer_free(struct seal_writer *w);
static inline void seal_writer_freep(struct seal_writer **w)
{
    *w = seal_writer_free(*w);
}
#define _cleanup_seal_writer_ _cleanup_(seal_writer_freep)
