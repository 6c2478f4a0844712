/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Input buffers that are digested (SHA-256) by a thread of their own while their owner goes on
 * reading them: digesting a blob costs a quarter of unpacking it. What is digested are the very
 * bytes the owner sees, not the file read a second time. Small inputs are digested at once.
 */

#include "base/error.h"
#include "core/sha256.h"

#define DIGEST_RING_BUFFER ((size_t)256 * 1024)

struct digest_ring;

/* `size`: bytes that will come, as far as one knows. */
[[nodiscard]] int digest_ring_new(uint64_t size, struct digest_ring **ret, struct error **err);
struct digest_ring *digest_ring_free(struct digest_ring *r);
static inline void digest_ring_freep(struct digest_ring **r)
{
    *r = digest_ring_free(*r);
}
#define _cleanup_digest_ring_ _cleanup_(digest_ring_freep)

/* An empty buffer of DIGEST_RING_BUFFER bytes. Those given out before may be overwritten. */
uint8_t *digest_ring_next(struct digest_ring *r);
/* The first `size` bytes of that buffer are filled, and do not change any more. */
void digest_ring_push(struct digest_ring *r, size_t size);
/* How far the digest of what was pushed has come, to go on from there in a ring of its own: before
 * anything is pushed to that. */
void digest_ring_state(struct digest_ring *r, struct sha256 *ret);
void digest_ring_resume(struct digest_ring *r, const struct sha256 *from);
/* The digest of all of them, once. */
void digest_ring_finish(struct digest_ring *r, uint8_t ret[static SHA256_SIZE]);
