/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Values of a store, encrypted for the place they stand in. The same for every backend. */

#include "cas/store/store.h"

#define STORE_SEAL_OVERHEAD 28 /* nonce and tag */

struct store_place {
    const char *table;
    const char *key; /* of the row */
    uint64_t version;
};

[[nodiscard]] int store_seal(const uint8_t master[static STORE_KEY_SIZE],
                             const struct store_place *at, const void *data, size_t size,
                             struct cas_bytes *ret);

/* -EBADMSG: not what was sealed there. */
[[nodiscard]] int store_unseal(const uint8_t master[static STORE_KEY_SIZE],
                               const struct store_place *at, const void *data, size_t size,
                               struct cas_bytes *ret);
