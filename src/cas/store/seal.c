/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Each value gets a key of its own, derived from the master key and its place, so that the number
 * of values does not run into GCM's limit on random nonces, and a value that is moved meets a key
 * that does not open it.
 */

#include "cas/store/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "core/ct.h"
#include "core/hmac.h"
#include "core/le.h"

static const char label[] = "nacre-store-v1";

/* label 00 table 00 key 00 version (8 bytes, little-endian); names hold no NUL. */
static int place_bytes(const struct store_place *at, struct cas_bytes *ret)
{
    const size_t table = strlen(at->table) + 1;
    const size_t key = strlen(at->key) + 1;
    uint8_t *p = malloc(sizeof(label) + table + key + 8);

    if (p == NULL) {
        return -ENOMEM;
    }
    memcpy(p, label, sizeof(label));
    memcpy(p + sizeof(label), at->table, table);
    memcpy(p + sizeof(label) + table, at->key, key);
    le64_store(p + sizeof(label) + table + key, at->version);
    *ret = (struct cas_bytes){.p = p, .size = sizeof(label) + table + key + 8};
    return 0;
}

static int derive(const uint8_t *master, const struct cas_bytes *place, uint8_t ret[static 32])
{
    return hkdf_sha256(NULL, 0, master, STORE_KEY_SIZE, place->p, place->size, ret, 32);
}

int store_seal(const uint8_t master[static STORE_KEY_SIZE], const struct store_place *at,
               const void *data, size_t size, struct cas_bytes *ret)
{
    _cleanup_bytes_ struct cas_bytes place = {0};
    uint8_t key[32];
    uint8_t *out = malloc(size + STORE_SEAL_OVERHEAD);
    int r = out != NULL ? place_bytes(at, &place) : -ENOMEM;

    if (r == 0) {
        r = derive(master, &place, key);
    }
    if (r == 0) {
        r = crypto_random(out, CRYPTO_GCM_NONCE_SIZE);
    }
    if (r == 0) {
        r = crypto_gcm_seal(key, sizeof(key), out, place.p, place.size, data, size,
                            out + CRYPTO_GCM_NONCE_SIZE, out + CRYPTO_GCM_NONCE_SIZE + size);
    }
    ct_wipe(key, sizeof(key));
    if (r < 0) {
        free(out);
        return r;
    }
    *ret = (struct cas_bytes){.p = out, .size = size + STORE_SEAL_OVERHEAD};
    return 0;
}

int store_unseal(const uint8_t master[static STORE_KEY_SIZE], const struct store_place *at,
                 const void *data, size_t size, struct cas_bytes *ret)
{
    const uint8_t *in = data;
    const size_t plain = size - STORE_SEAL_OVERHEAD;
    _cleanup_bytes_ struct cas_bytes place = {0};
    _cleanup_bytes_ struct cas_bytes out = {0};
    uint8_t key[32];
    int r;

    if (data == NULL || size < STORE_SEAL_OVERHEAD) {
        return -EBADMSG;
    }
    out = (struct cas_bytes){.p = calloc(1, plain + 1), .size = plain};
    r = out.p != NULL ? place_bytes(at, &place) : -ENOMEM;
    if (r == 0) {
        r = derive(master, &place, key);
    }
    if (r == 0) {
        r = crypto_gcm_open(key, sizeof(key), in, place.p, place.size, in + CRYPTO_GCM_NONCE_SIZE,
                            plain, in + CRYPTO_GCM_NONCE_SIZE + plain, out.p);
    }
    ct_wipe(key, sizeof(key));
    if (r == 0) {
        *ret = out;
        out = (struct cas_bytes){0};
    }
    return r;
}
