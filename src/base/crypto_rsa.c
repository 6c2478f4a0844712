/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "core/sha256.h"

#define RSA_BITS 3072

/* DigestInfo of SHA-256 (RFC 8017, 9.2 note 1). */
static const uint8_t digest_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                      0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

static void bn_freep(BIGNUM **bn)
{
    BN_free(*bn);
}
static void bn_ctx_freep(BN_CTX **ctx)
{
    BN_CTX_free(*ctx);
}
static void pkey_ctx_freep(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}
#define _cleanup_bn_       _cleanup_(bn_freep)
#define _cleanup_bn_ctx_   _cleanup_(bn_ctx_freep)
#define _cleanup_pkey_ctx_ _cleanup_(pkey_ctx_freep)

void crypto_rsa3072_reverse(uint8_t dst[static 384], const uint8_t src[static 384])
{
    for (size_t i = 0; i < CRYPTO_RSA3072_SIZE; i++) {
        dst[i] = src[CRYPTO_RSA3072_SIZE - 1 - i];
    }
}

int crypto_rsa3072_generate(struct evp_pkey_st **ret)
{
    _cleanup_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    _cleanup_bn_ BIGNUM *e = BN_new();
    EVP_PKEY *key = NULL;

    if (ctx == NULL || e == NULL || BN_set_word(e, 3) != 1 || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, RSA_BITS) != 1 ||
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) != 1 || EVP_PKEY_generate(ctx, &key) != 1) {
        EVP_PKEY_free(key);
        ERR_clear_error();
        return -EIO;
    }
    *ret = key;
    return 0;
}

int crypto_rsa3072_check(const struct evp_pkey_st *key, struct error **err)
{
    _cleanup_bn_ BIGNUM *e = NULL;
    char *text;
    int r;

    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        const char *type = EVP_PKEY_get0_type_name(key);

        return error_set(err, EINVAL,
                         "it is a key of type %s; SGX signs with RSA-3072 and exponent 3 ('nacre "
                         "keygen' makes one)",
                         type != NULL ? type : "unknown");
    }
    if (EVP_PKEY_get_bits(key) != RSA_BITS) {
        return error_set(err, EINVAL,
                         "its RSA modulus has %d bits; SGX demands exactly 3072 ('nacre keygen' "
                         "makes such a key)",
                         EVP_PKEY_get_bits(key));
    }
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
        ERR_clear_error();
        return error_set(err, EINVAL, "its RSA exponent cannot be read");
    }
    if (BN_is_word(e, 3)) {
        return 0;
    }
    text = BN_bn2dec(e);
    r = error_set(
        err, EINVAL,
        "its RSA public exponent is %s; SGX demands 3 ('nacre keygen', or 'openssl genrsa "
        "-3 3072', makes such a key)",
        text != NULL ? text : "not 3");
    OPENSSL_free(text);
    return r;
}

int crypto_rsa3072_modulus(const struct evp_pkey_st *key, uint8_t ret_modulus[static 384])
{
    _cleanup_bn_ BIGNUM *n = NULL;

    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &n) != 1 || BN_num_bits(n) != RSA_BITS) {
        ERR_clear_error();
        return -EINVAL;
    }
    return BN_bn2lebinpad(n, ret_modulus, CRYPTO_RSA3072_SIZE) == CRYPTO_RSA3072_SIZE ? 0 : -EIO;
}

int crypto_rsa3072_sign_digest(struct evp_pkey_st *key, const uint8_t digest[static 32],
                               uint8_t ret_signature[static 384])
{
    _cleanup_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    uint8_t big[CRYPTO_RSA3072_SIZE];
    size_t size = sizeof(big);

    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) != RSA_BITS) {
        return -EINVAL;
    }
    if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1 ||
        EVP_PKEY_sign(ctx, big, &size, digest, SHA256_SIZE) != 1 || size != sizeof(big)) {
        ERR_clear_error();
        return -EIO;
    }
    crypto_rsa3072_reverse(ret_signature, big);
    return 0;
}

int crypto_rsa3072_sign(struct evp_pkey_st *key, const void *data, size_t size,
                        uint8_t ret_signature[static 384])
{
    uint8_t digest[SHA256_SIZE];

    sha256(data, size, digest);
    return crypto_rsa3072_sign_digest(key, digest, ret_signature);
}

/* q1, q2 and s^3 mod m in one go: with q1 and q2 at hand the remainder costs nothing more. Each
 * output may be NULL. */
static int cube(const uint8_t *modulus, const uint8_t *signature, uint8_t *ret_q1, uint8_t *ret_q2,
                uint8_t *ret_rest)
{
    _cleanup_bn_ctx_ BN_CTX *ctx = BN_CTX_new();
    _cleanup_bn_ BIGNUM *m = BN_lebin2bn(modulus, CRYPTO_RSA3072_SIZE, NULL);
    _cleanup_bn_ BIGNUM *s = BN_lebin2bn(signature, CRYPTO_RSA3072_SIZE, NULL);
    _cleanup_bn_ BIGNUM *square = BN_new();
    _cleanup_bn_ BIGNUM *q1 = BN_new();
    _cleanup_bn_ BIGNUM *q2 = BN_new();
    _cleanup_bn_ BIGNUM *rest = BN_new();

    if (ctx == NULL || m == NULL || s == NULL || square == NULL || q1 == NULL || q2 == NULL ||
        rest == NULL) {
        return -ENOMEM;
    }
    if (BN_num_bits(m) != RSA_BITS || !BN_is_odd(m) || BN_is_zero(s) || BN_cmp(s, m) >= 0) {
        return -EINVAL;
    }
    /* s^2 = q1 m + r1 and s r1 = q2 m + rest: the same q2 as in the SDM's formula, for
     * s^3 - q1 s m = s r1. */
    if (BN_sqr(square, s, ctx) != 1 || BN_div(q1, rest, square, m, ctx) != 1 ||
        BN_mul(square, rest, s, ctx) != 1 || BN_div(q2, rest, square, m, ctx) != 1) {
        ERR_clear_error();
        return -ENOMEM;
    }
    if ((ret_q1 != NULL && BN_bn2lebinpad(q1, ret_q1, CRYPTO_RSA3072_SIZE) < 0) ||
        (ret_q2 != NULL && BN_bn2lebinpad(q2, ret_q2, CRYPTO_RSA3072_SIZE) < 0) ||
        (ret_rest != NULL && BN_bn2binpad(rest, ret_rest, CRYPTO_RSA3072_SIZE) < 0)) {
        return -EIO;
    }
    return 0;
}

int crypto_rsa3072_q(const uint8_t modulus[static 384], const uint8_t signature[static 384],
                     uint8_t ret_q1[static 384], uint8_t ret_q2[static 384])
{
    return cube(modulus, signature, ret_q1, ret_q2, NULL);
}

int crypto_rsa3072_verify_digest(const uint8_t modulus[static 384],
                                 const uint8_t signature[static 384],
                                 const uint8_t digest[static 32])
{
    uint8_t expected[CRYPTO_RSA3072_SIZE];
    uint8_t message[CRYPTO_RSA3072_SIZE];
    const size_t padding = sizeof(expected) - sizeof(digest_info) - SHA256_SIZE;
    int r = cube(modulus, signature, NULL, NULL, message);

    if (r < 0) {
        return r;
    }
    /* EMSA-PKCS1-v1_5: 00 01 ff..ff 00 DigestInfo digest. Building the one right block and
     * comparing all of it leaves no room for what e = 3 lets a lax parser accept. */
    memset(expected, 0xff, padding);
    expected[0] = 0;
    expected[1] = 1;
    expected[padding - 1] = 0;
    memcpy(expected + padding, digest_info, sizeof(digest_info));
    memcpy(expected + padding + sizeof(digest_info), digest, SHA256_SIZE);
    return memcmp(expected, message, sizeof(expected)) == 0 ? 0 : -EBADMSG; /* public values */
}

int crypto_rsa3072_verify(const uint8_t modulus[static 384], const uint8_t signature[static 384],
                          const void *data, size_t size)
{
    uint8_t digest[SHA256_SIZE];

    sha256(data, size, digest);
    return crypto_rsa3072_verify_digest(modulus, signature, digest);
}
