/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* ECDSA over P-256 with SHA-256: the one signature of DCAP. */

#include "core/types.h"

#define P256_KEY_SIZE 64u
#define P256_SIG_SIZE 64u

struct p256_key;

/* x || y, big-endian. -EKEYREJECTED when that is no point of the curve, -ENOMEM. */
[[nodiscard]] int p256_key_new(const uint8_t xy[static P256_KEY_SIZE], struct p256_key **ret);
struct p256_key *p256_key_free(struct p256_key *key);
static inline void p256_key_freep(struct p256_key **key)
{
    *key = p256_key_free(*key);
}

/* 0 when r || s (big-endian) signs `data`; -EKEYREJECTED when not, also when r or s is zero or not
 * below the group order; -ENOMEM. May be called from several threads at once. */
[[nodiscard]] int p256_verify(const struct p256_key *key, const void *data, size_t size,
                              const uint8_t rs[static P256_SIG_SIZE]);
