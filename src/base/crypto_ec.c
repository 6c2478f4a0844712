/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <string.h>

#include "core/ct.h"
#include "core/sha256.h"

#define P256_NAME       "prime256v1"
#define P256_COORD_SIZE 32
#define P256_DER_MAX    80 /* SEQUENCE of two INTEGERs of at most 33 bytes */

int crypto_p256_generate(struct evp_pkey_st **ret)
{
    EVP_PKEY *key = EVP_EC_gen(P256_NAME);

    if (key == NULL) {
        ERR_clear_error();
        return -EIO;
    }
    *ret = key;
    return 0;
}

/* Makes a key of a point (65 bytes, uncompressed) and, unless NULL, its private scalar. */
static int p256_import(const uint8_t *point, const BIGNUM *scalar, EVP_PKEY **ret)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;
    int r = -EIO;

    if (bld == NULL || ctx == NULL ||
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, P256_NAME, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 65) != 1 ||
        (scalar != NULL && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, scalar) != 1)) {
        goto out;
    }
    params = OSSL_PARAM_BLD_to_param(bld);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1) {
        goto out;
    }
    /* fromdata decodes the point, which fails off the curve. */
    if (EVP_PKEY_fromdata(ctx, &key, scalar != NULL ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params) != 1) {
        r = -EINVAL;
        goto out;
    }
    *ret = key;
    r = 0;
out:
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return r;
}

int crypto_p256_from_point(const uint8_t point[static 64], struct evp_pkey_st **ret)
{
    uint8_t encoded[65] = {POINT_CONVERSION_UNCOMPRESSED};

    memcpy(encoded + 1, point, CRYPTO_P256_SIZE);
    return p256_import(encoded, NULL, ret);
}

int crypto_p256_from_scalar(const uint8_t scalar[static 32], struct evp_pkey_st **ret)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *d = BN_secure_new();
    uint8_t encoded[65];
    int r = -ENOMEM;

    if (point == NULL || d == NULL || BN_bin2bn(scalar, P256_COORD_SIZE, d) == NULL) {
        goto out;
    }
    if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0) {
        r = -EINVAL;
        goto out;
    }
    r = -EIO;
    if (EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, encoded, sizeof(encoded),
                           NULL) == sizeof(encoded)) {
        r = p256_import(encoded, d, ret);
    }
out:
    BN_clear_free(d);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    ERR_clear_error();
    return r;
}

bool crypto_is_p256(const struct evp_pkey_st *key)
{
    char name[32];
    size_t size = 0;

    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
        EVP_PKEY_get_group_name(key, name, sizeof(name), &size) != 1) {
        ERR_clear_error();
        return false;
    }
    return strcmp(name, P256_NAME) == 0;
}

int crypto_p256_point(const struct evp_pkey_st *key, uint8_t ret_point[static 64])
{
    BIGNUM *x = NULL;
    BIGNUM *y = NULL;
    int r = -EINVAL;

    if (crypto_is_p256(key) && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 &&
        BN_bn2binpad(x, ret_point, P256_COORD_SIZE) == P256_COORD_SIZE &&
        BN_bn2binpad(y, ret_point + P256_COORD_SIZE, P256_COORD_SIZE) == P256_COORD_SIZE) {
        r = 0;
    }
    BN_free(x);
    BN_free(y);
    ERR_clear_error();
    return r;
}

/* DER to r || s. */
static int signature_to_raw(const uint8_t *der, size_t size, uint8_t *ret_raw)
{
    const uint8_t *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)size);
    int r = -EIO;

    if (sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_raw, P256_COORD_SIZE) >= 0 &&
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_raw + P256_COORD_SIZE, P256_COORD_SIZE) >= 0) {
        r = 0;
    }
    ECDSA_SIG_free(sig);
    return r;
}

/* r || s to DER. */
static int signature_to_der(const uint8_t *raw, uint8_t *ret_der, size_t *ret_size)
{
    BIGNUM *r_bn = BN_bin2bn(raw, P256_COORD_SIZE, NULL);
    BIGNUM *s_bn = BN_bin2bn(raw + P256_COORD_SIZE, P256_COORD_SIZE, NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    uint8_t *p = ret_der;
    int n;

    if (r_bn == NULL || s_bn == NULL || sig == NULL || ECDSA_SIG_set0(sig, r_bn, s_bn) != 1) {
        BN_free(r_bn);
        BN_free(s_bn);
        ECDSA_SIG_free(sig);
        return -ENOMEM;
    }
    n = i2d_ECDSA_SIG(sig, NULL);
    if (n <= 0 || n > P256_DER_MAX || i2d_ECDSA_SIG(sig, &p) != n) {
        ECDSA_SIG_free(sig);
        return -EIO;
    }
    ECDSA_SIG_free(sig);
    *ret_size = (size_t)n;
    return 0;
}

int crypto_p256_sign(struct evp_pkey_st *key, const void *data, size_t size,
                     uint8_t ret_signature[static 64])
{
    EVP_PKEY_CTX *ctx;
    uint8_t digest[SHA256_SIZE];
    uint8_t der[P256_DER_MAX];
    size_t der_size = sizeof(der);
    int r = -EIO;

    if (!crypto_is_p256(key)) {
        return -EINVAL;
    }
    sha256(data, size, digest);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
        EVP_PKEY_sign(ctx, der, &der_size, digest, sizeof(digest)) == 1) {
        r = signature_to_raw(der, der_size, ret_signature);
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return r;
}

int crypto_p256_verify(struct evp_pkey_st *key, const void *data, size_t size,
                       const uint8_t signature[static 64])
{
    EVP_PKEY_CTX *ctx;
    uint8_t digest[SHA256_SIZE];
    uint8_t der[P256_DER_MAX];
    size_t der_size = 0;
    int r;

    if (!crypto_is_p256(key)) {
        return -EINVAL;
    }
    r = signature_to_der(signature, der, &der_size);
    if (r < 0) {
        return r;
    }
    sha256(data, size, digest);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1) {
        r = -EIO;
    } else if (EVP_PKEY_verify(ctx, der, der_size, digest, sizeof(digest)) != 1) {
        r = -EBADMSG; /* r or s out of range comes out as an error here: refused all the same */
    }
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return r;
}
