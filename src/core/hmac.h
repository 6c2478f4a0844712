/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* HMAC-SHA256 (RFC 2104, FIPS 198-1) and HKDF-SHA256 (RFC 5869). Caller-owned contexts. */

#include "core/sha256.h"

struct hmac_sha256 {
    struct sha256 inner;
    struct sha256 outer;
};

void hmac_sha256_init(struct hmac_sha256 *ctx, const void *key, size_t key_size);
void hmac_sha256_update(struct hmac_sha256 *ctx, const void *data, size_t size);
/* Finishes and wipes the context. */
void hmac_sha256_final(struct hmac_sha256 *ctx, uint8_t ret[static SHA256_SIZE]);

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                 uint8_t ret[static SHA256_SIZE]);

#define HKDF_SHA256_MAX (255u * SHA256_SIZE)

/* HKDF-Extract: `salt` may be empty (then it counts as 32 zero bytes, RFC 5869 section 2.2). */
void hkdf_sha256_extract(const void *salt, size_t salt_size, const void *ikm, size_t ikm_size,
                         uint8_t ret_prk[static SHA256_SIZE]);

/* HKDF-Expand. -EINVAL when more than HKDF_SHA256_MAX bytes are asked (RFC 5869 section 2.3). */
[[nodiscard]] int hkdf_sha256_expand(const uint8_t prk[static SHA256_SIZE], const void *info,
                                     size_t info_size, void *dst, size_t size);

/* Extract and expand. */
[[nodiscard]] int hkdf_sha256(const void *salt, size_t salt_size, const void *ikm, size_t ikm_size,
                              const void *info, size_t info_size, void *dst, size_t size);
