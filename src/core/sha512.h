/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* SHA-512 (FIPS 180-4), caller-owned context, no failure. Report data is made with it. */

#include "core/types.h"

#define SHA512_SIZE  64u
#define SHA512_BLOCK 128u

struct sha512 {
    uint64_t state[8];
    uint64_t bytes; /* message bytes so far; 2^61 is beyond any input here */
    uint8_t buf[SHA512_BLOCK];
};

void sha512_init(struct sha512 *ctx);
void sha512_update(struct sha512 *ctx, const void *data, size_t size);
/* Finishes and wipes the context. */
void sha512_final(struct sha512 *ctx, uint8_t ret[static SHA512_SIZE]);

void sha512(const void *data, size_t size, uint8_t ret[static SHA512_SIZE]);
