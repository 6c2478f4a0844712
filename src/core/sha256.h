/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * SHA-256 (FIPS 180-4), caller-owned context, no failure. Uses the SHA extensions where the
 * processor has them. Shared by measurement (both worlds) and the sealed format's hash tree.
 */

#include "core/types.h"

#define SHA256_SIZE  32u
#define SHA256_BLOCK 64u

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;            /* message bytes so far */
    uint8_t buf[SHA256_BLOCK]; /* the part of a block not hashed yet */
};

void sha256_init(struct sha256 *ctx);
void sha256_update(struct sha256 *ctx, const void *data, size_t size);
/* Finishes and wipes the context. To go on hashing, finish a copy. */
void sha256_final(struct sha256 *ctx, uint8_t ret[static SHA256_SIZE]);

void sha256(const void *data, size_t size, uint8_t ret[static SHA256_SIZE]);

/* For tests: hash with the portable code even where the SHA extensions exist. */
void sha256_force_portable(bool on);
