/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Takes the place of src/attest/p256.c when fuzzing: every signature verifies. Linked into fuzz
 * targets only. */

#include <stdlib.h>
#include <string.h>

#include "attest/p256_internal.h"

struct p256_key {
    uint8_t xy[P256_KEY_SIZE];
};

int p256_key_new(const uint8_t xy[static P256_KEY_SIZE], struct p256_key **ret)
{
    struct p256_key *key = malloc(sizeof(*key));

    if (key == NULL) {
        return -ENOMEM;
    }
    memcpy(key->xy, xy, sizeof(key->xy));
    *ret = key;
    return 0;
}

struct p256_key *p256_key_free(struct p256_key *key)
{
    free(key);
    return NULL;
}

int p256_verify(const struct p256_key *key, const void *data, size_t size,
                const uint8_t rs[static P256_SIG_SIZE])
{
    /* Touches what the real one reads: all of the data and the signature. */
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum ^= ((const uint8_t *)data)[i];
    }
    for (size_t i = 0; i < P256_SIG_SIZE; i++) {
        sum ^= rs[i] ^ key->xy[i];
    }
    (void)sum;
    return 0;
}
