/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/p256_internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "core/ct.h"
#include "core/sha256.h"

/* Wraps EVP_PKEY, so that only this file knows OpenSSL. */
struct p256_key;

static EVP_PKEY *to_pkey(const struct p256_key *key)
{
    /* EVP wants a mutable pointer for its reference count; verification changes nothing else. */
    EVP_PKEY *pkey;

    memcpy(&pkey, &key, sizeof(pkey));
    return pkey;
}

int p256_key_new(const uint8_t xy[static P256_KEY_SIZE], struct p256_key **ret)
{
    char group[] = "P-256";
    uint8_t point[1 + P256_KEY_SIZE];
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pkey = NULL;
    int ok;

    if (ctx == NULL) {
        return -ENOMEM;
    }
    point[0] = 0x04; /* uncompressed; OpenSSL refuses points off the curve */
    memcpy(point + 1, xy, P256_KEY_SIZE);
    ok = EVP_PKEY_fromdata_init(ctx) == 1 &&
         EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok) {
        EVP_PKEY_free(pkey);
        return -EKEYREJECTED;
    }
    *ret = (struct p256_key *)pkey;
    return 0;
}

struct p256_key *p256_key_free(struct p256_key *key)
{
    EVP_PKEY_free(to_pkey(key));
    return NULL;
}

/* SEC 1, 4.1.4 step 1: r and s lie in [1, n-1]. Checked here so that the rule does not depend on
 * what the library below tolerates. */
static bool scalar_in_range(const uint8_t v[static 32])
{
    static const uint8_t order[32] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    };

    return !ct_is_zero(v, 32) && memcmp(v, order, 32) < 0;
}

/* Appends one INTEGER. Returns the bytes written: at most 35. */
static size_t put_integer(uint8_t *dst, const uint8_t v[static 32])
{
    size_t skip = 0;
    size_t pad;

    while (skip < 31 && v[skip] == 0) {
        skip++;
    }
    pad = v[skip] >= 0x80 ? 1 : 0;
    dst[0] = 0x02;
    dst[1] = (uint8_t)(32 - skip + pad);
    dst[2] = 0;
    memcpy(dst + 2 + pad, v + skip, 32 - skip);
    return 2 + pad + 32 - skip;
}

int p256_verify(const struct p256_key *key, const void *data, size_t size,
                const uint8_t rs[static P256_SIG_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    uint8_t der[2 + 2 * 35];
    size_t der_size = 2;
    EVP_PKEY_CTX *ctx;
    int ok;

    if (!scalar_in_range(rs) || !scalar_in_range(rs + 32)) {
        return -EKEYREJECTED;
    }
    der_size += put_integer(der + der_size, rs);
    der_size += put_integer(der + der_size, rs + 32);
    der[0] = 0x30;
    der[1] = (uint8_t)(der_size - 2);

    sha256(data, size, digest);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, to_pkey(key), NULL);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return -ENOMEM;
    }
    ok = EVP_PKEY_verify(ctx, der, der_size, digest, sizeof(digest));
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? 0 : -EKEYREJECTED;
}
