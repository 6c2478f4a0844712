/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a PEM file with a signing key, private or public. No passphrase is ever given: the
 * cost of deriving a key from one is what the file asks for. */

#include <string.h>

#include "base/crypto.h"
#include "fuzz/fuzz.h"

static void try_private(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_key_ struct evp_pkey_st *back = NULL;
    uint8_t modulus[CRYPTO_RSA3072_SIZE];
    uint8_t again[CRYPTO_RSA3072_SIZE];
    char *pem = NULL;
    size_t pem_size = 0;

    if (crypto_pem_read_private(data, size, "key", NULL, &key, &err) < 0) {
        FUZZ_CHECK(err != NULL && key == NULL);
        return;
    }
    if (crypto_rsa3072_check(key, NULL) < 0) {
        return;
    }
    FUZZ_CHECK(crypto_rsa3072_modulus(key, modulus) == 0);
    if (crypto_pem_write_private(key, NULL, &pem, &pem_size) == 0) {
        FUZZ_CHECK(crypto_pem_read_private(pem, pem_size, "key", NULL, &back, NULL) == 0);
        FUZZ_CHECK(crypto_rsa3072_modulus(back, again) == 0);
        FUZZ_CHECK(memcmp(modulus, again, sizeof(modulus)) == 0);
        crypto_pem_wipe(pem, pem_size);
    }
}

static void try_public(const uint8_t *data, size_t size)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    uint8_t modulus[CRYPTO_RSA3072_SIZE];
    uint8_t point[CRYPTO_P256_SIZE];

    if (crypto_pem_read_public(data, size, "key", &key, &err) < 0) {
        FUZZ_CHECK(err != NULL && key == NULL);
        return;
    }
    if (crypto_rsa3072_check(key, NULL) == 0) {
        FUZZ_CHECK(crypto_rsa3072_modulus(key, modulus) == 0);
    }
    if (crypto_is_p256(key)) {
        (void)!crypto_p256_point(key, point);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_private(data, size);
    try_public(data, size);
    return 0;
}
