/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "core/hex.h"

static void unhex(void *dst, size_t size, const char *hex)
{
    assert_int_equal(hex_decode(dst, size, hex, strlen(hex)), 0);
}

static void test_random_differs_and_fills(void **state)
{
    uint8_t a[64] = {0};
    uint8_t b[64] = {0};

    assert_int_equal(crypto_random(a, sizeof(a)), 0);
    assert_int_equal(crypto_random(b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(crypto_random(a, 0), 0);
}

/* RFC 4493, section 4: empty, 16, 40 and 64 bytes. */
static void test_cmac_matches_rfc_4493(void **state)
{
    static const struct {
        size_t size;
        const char *mac;
    } cases[] = {
        {0, "bb1d6929e95937287fa37d129b756746"},
        {16, "070a16b46b4d4144f79bdd9dd04a287c"},
        {40, "dfa66747de9ae63030ca32611497c827"},
        {64, "51f0bebf7e3b9d92fc49741779363cfe"},
    };
    uint8_t key[16];
    uint8_t message[64];
    uint8_t want[16];
    uint8_t got[16];

    unhex(key, 16, "2b7e151628aed2a6abf7158809cf4f3c");
    unhex(message, 64,
          "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
          "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        unhex(want, 16, cases[i].mac);
        assert_int_equal(crypto_aes128_cmac(key, message, cases[i].size, got), 0);
        assert_memory_equal(got, want, 16);
    }
}

static void test_gcm_round_trip_and_every_flip_is_refused(void **state)
{
    uint8_t key[32] = {1};
    uint8_t nonce[12] = {2};
    uint8_t plain[33];
    uint8_t sealed[33];
    uint8_t out[33];
    uint8_t tag[16];

    memset(plain, 7, sizeof(plain));
    for (size_t key_size = 16; key_size <= 32; key_size += 16) {
        assert_int_equal(
            crypto_gcm_seal(key, key_size, nonce, "aad", 3, plain, sizeof(plain), sealed, tag), 0);
        assert_memory_not_equal(sealed, plain, sizeof(plain));
        assert_int_equal(
            crypto_gcm_open(key, key_size, nonce, "aad", 3, sealed, sizeof(sealed), tag, out), 0);
        assert_memory_equal(out, plain, sizeof(plain));
        assert_int_equal(
            crypto_gcm_open(key, key_size, nonce, "aae", 3, sealed, sizeof(sealed), tag, out),
            -EBADMSG);
        for (size_t i = 0; i < sizeof(sealed) + sizeof(tag); i++) {
            uint8_t *p = i < sizeof(sealed) ? &sealed[i] : &tag[i - sizeof(sealed)];

            *p ^= 0x10;
            memset(out, 0xff, sizeof(out));
            assert_int_equal(
                crypto_gcm_open(key, key_size, nonce, "aad", 3, sealed, sizeof(sealed), tag, out),
                -EBADMSG);
            assert_int_equal(out[0] | out[32], 0); /* no unverified plaintext stays */
            *p ^= 0x10;
        }
    }
    assert_int_equal(crypto_gcm_seal(key, 24, nonce, "", 0, plain, 1, sealed, tag), -EINVAL);
}

/* RFC 6979, A.2.5: the key, and the signature of "sample" with SHA-256. */
#define RFC6979_X "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define RFC6979_POINT                                                  \
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" \
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define RFC6979_SIGNATURE                                              \
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" \
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"

static void test_p256_scalar_gives_the_published_point(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    struct evp_pkey_st *none = NULL;
    uint8_t scalar[32];
    uint8_t want[64];
    uint8_t got[64];

    unhex(scalar, 32, RFC6979_X);
    unhex(want, 64, RFC6979_POINT);
    assert_int_equal(crypto_p256_from_scalar(scalar, &key), 0);
    assert_true(crypto_is_p256(key));
    assert_int_equal(crypto_p256_point(key, got), 0);
    assert_memory_equal(got, want, 64);

    memset(scalar, 0, sizeof(scalar));
    assert_int_equal(crypto_p256_from_scalar(scalar, &none), -EINVAL);
    unhex(scalar, 32, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    assert_int_equal(crypto_p256_from_scalar(scalar, &none), -EINVAL); /* the order itself */
    scalar[31]--;
    assert_int_equal(crypto_p256_from_scalar(scalar, &none), 0);
    none = crypto_key_free(none);
    got[63] ^= 1;
    assert_int_equal(crypto_p256_from_point(got, &none), -EINVAL); /* off the curve */
    memset(got, 0, sizeof(got));
    assert_int_equal(crypto_p256_from_point(got, &none), -EINVAL);
}

static void test_p256_verify_takes_the_published_signature_and_refuses_each_flip(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    uint8_t point[64];
    uint8_t signature[64];

    unhex(point, 64, RFC6979_POINT);
    unhex(signature, 64, RFC6979_SIGNATURE);
    assert_int_equal(crypto_p256_from_point(point, &key), 0);
    assert_int_equal(crypto_p256_verify(key, "sample", 6, signature), 0);
    assert_int_equal(crypto_p256_verify(key, "Sample", 6, signature), -EBADMSG);
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        assert_int_equal(crypto_p256_verify(key, "sample", 6, signature), -EBADMSG);
        signature[i] ^= 1;
    }
    memset(signature, 0, 32); /* r = 0 */
    assert_int_equal(crypto_p256_verify(key, "sample", 6, signature), -EBADMSG);
    memset(signature, 0xff, 64); /* both above the order */
    assert_int_equal(crypto_p256_verify(key, "sample", 6, signature), -EBADMSG);
}

static void test_p256_sign_verifies_and_public_keys_cannot_sign(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_key_ struct evp_pkey_st *pub = NULL;
    uint8_t signature[64];
    uint8_t point[64];

    assert_int_equal(crypto_p256_generate(&key), 0);
    assert_int_equal(crypto_p256_point(key, point), 0);
    assert_int_equal(crypto_p256_from_point(point, &pub), 0);
    for (int i = 0; i < 64; i++) { /* short r and s must come out padded */
        assert_int_equal(crypto_p256_sign(key, &i, sizeof(i), signature), 0);
        assert_int_equal(crypto_p256_verify(pub, &i, sizeof(i), signature), 0);
    }
    assert_int_equal(crypto_p256_sign(pub, "x", 1, signature), -EIO);
}

static void test_rsa_signs_and_refuses_wrong_moduli(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    uint8_t modulus[384];
    uint8_t signature[384];
    uint8_t q1[384];
    uint8_t q2[384];

    assert_int_equal(crypto_rsa3072_generate(&key), 0);
    assert_int_equal(crypto_rsa3072_check(key, NULL), 0);
    assert_int_equal(crypto_rsa3072_modulus(key, modulus), 0);
    assert_int_equal(crypto_rsa3072_sign(key, "text", 4, signature), 0);
    assert_int_equal(crypto_rsa3072_verify(modulus, signature, "text", 4), 0);
    assert_int_equal(crypto_rsa3072_verify(modulus, signature, "tex", 3), -EBADMSG);
    signature[0] ^= 1;
    assert_int_equal(crypto_rsa3072_verify(modulus, signature, "text", 4), -EBADMSG);
    assert_int_equal(crypto_rsa3072_verify(modulus, modulus, "text", 4), -EINVAL); /* s = m */
    memset(signature, 0, sizeof(signature));
    assert_int_equal(crypto_rsa3072_q(modulus, signature, q1, q2), -EINVAL); /* s = 0 */
    signature[0] = 1;
    modulus[0] &= 0xfe;
    assert_int_equal(crypto_rsa3072_q(modulus, signature, q1, q2), -EINVAL); /* even */
    modulus[0] |= 1;
    modulus[383] &= 0x7f;
    assert_int_equal(crypto_rsa3072_q(modulus, signature, q1, q2), -EINVAL); /* 3071 bits */
    memset(modulus, 0, sizeof(modulus));
    assert_int_equal(crypto_rsa3072_q(modulus, signature, q1, q2), -EINVAL);
}

static void refuse_private(const char *pem, const char *pass, int code, const char *say)
{
    _cleanup_error_ struct error *err = NULL;
    struct evp_pkey_st *key = NULL;

    assert_int_equal(crypto_pem_read_private(pem, strlen(pem), "k.pem", pass, &key, &err), code);
    assert_non_null(strstr(error_text(err), say));
    assert_null(key);
}

static void test_pem_round_trip_and_passphrases(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_key_ struct evp_pkey_st *back = NULL;
    uint8_t point[64];
    uint8_t point_back[64];
    char *pem = NULL;
    size_t size;

    assert_int_equal(crypto_p256_generate(&key), 0);
    assert_int_equal(crypto_p256_point(key, point), 0);
    assert_int_equal(crypto_pem_write_private(key, "secret", &pem, &size), 0);
    assert_int_equal(size, strlen(pem));
    assert_non_null(strstr(pem, "BEGIN ENCRYPTED PRIVATE KEY"));
    refuse_private(pem, NULL, -ENOKEY, "no passphrase");
    refuse_private(pem, "wrong", -EKEYREJECTED, "passphrase is wrong");
    assert_int_equal(crypto_pem_read_private(pem, size, "k.pem", "secret", &back, NULL), 0);
    assert_int_equal(crypto_p256_point(back, point_back), 0);
    assert_memory_equal(point, point_back, 64);
    crypto_pem_wipe(pem, size);

    pem = NULL;
    assert_int_equal(crypto_pem_write_private(key, NULL, &pem, &size), 0);
    assert_non_null(strstr(pem, "BEGIN PRIVATE KEY"));
    back = crypto_key_free(back);
    assert_int_equal(crypto_pem_read_private(pem, size, "k.pem", NULL, &back, NULL), 0);
    crypto_pem_wipe(pem, size);

    pem = NULL;
    assert_int_equal(crypto_pem_write_public(key, &pem, &size), 0);
    refuse_private(pem, NULL, -EINVAL, "found a PUBLIC KEY");
    back = crypto_key_free(back);
    assert_int_equal(crypto_pem_read_public(pem, size, "k.pem", &back, NULL), 0);
    assert_int_equal(crypto_p256_point(back, point_back), 0);
    assert_memory_equal(point, point_back, 64);
    crypto_pem_wipe(pem, size);
}

static void test_pem_refuses_everything_else_with_its_reason(void **state)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    _cleanup_error_ struct error *err = NULL;
    struct evp_pkey_st *out = NULL;
    char twice[2048];
    char *pem = NULL;
    size_t size;

    assert_int_equal(crypto_p256_generate(&key), 0);
    assert_int_equal(crypto_pem_write_private(key, NULL, &pem, &size), 0);
    refuse_private("", NULL, -EINVAL, "no PEM block");
    refuse_private("hello\n", NULL, -EINVAL, "no PEM block");
    refuse_private("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", NULL, -EINVAL,
                   "broken");
    refuse_private("-----BEGIN PRIVATE KEY-----\nAAAA\n", NULL, -EINVAL, "broken");
    refuse_private("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", NULL, -EINVAL,
                   "does not hold a private key");
    (void)snprintf(twice, sizeof(twice), "%s%s", pem, pem);
    refuse_private(twice, NULL, -EINVAL, "holds 2 private keys");
    assert_int_equal(crypto_pem_read_public(pem, size, "k.pem", &out, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "holds a private key"));
    pem[size / 2] = '*';
    refuse_private(pem, NULL, -EINVAL, "broken");
    crypto_pem_wipe(pem, size);
    pem = calloc(1, CRYPTO_PEM_MAX + 1);
    assert_non_null(pem);
    assert_int_equal(crypto_pem_read_private(pem, CRYPTO_PEM_MAX + 1, "k.pem", NULL, &out, &err),
                     -EINVAL);
    assert_non_null(strstr(error_text(err), "too many"));
    crypto_pem_wipe(pem, CRYPTO_PEM_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_differs_and_fills),
        cmocka_unit_test(test_cmac_matches_rfc_4493),
        cmocka_unit_test(test_gcm_round_trip_and_every_flip_is_refused),
        cmocka_unit_test(test_p256_scalar_gives_the_published_point),
        cmocka_unit_test(test_p256_verify_takes_the_published_signature_and_refuses_each_flip),
        cmocka_unit_test(test_p256_sign_verifies_and_public_keys_cannot_sign),
        cmocka_unit_test(test_rsa_signs_and_refuses_wrong_moduli),
        cmocka_unit_test(test_pem_round_trip_and_passphrases),
        cmocka_unit_test(test_pem_refuses_everything_else_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
