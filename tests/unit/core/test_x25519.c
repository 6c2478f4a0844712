/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "core/hex.h"
#include "core/x25519.h"

static void check(const char *secret, const char *point, const char *want)
{
    uint8_t k[32];
    uint8_t u[32];
    uint8_t got[32];
    char hex[65];

    assert_int_equal(hex_decode(k, 32, secret, 64), 0);
    assert_int_equal(hex_decode(u, 32, point, 64), 0);
    assert_int_equal(x25519_shared(got, k, u), 0);
    hex_encode(hex, got, 32);
    assert_string_equal(hex, want);
}

/* RFC 7748 section 5.2. The second point has its top bit set, which is ignored. */
static void test_x25519_rfc7748_vectors(void **state)
{
    check("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
          "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
          "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    check("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
          "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
          "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

/* Section 5.2, the iterated test, 1,000 rounds. */
static void test_x25519_rfc7748_iterated(void **state)
{
    uint8_t k[32] = {9};
    uint8_t u[32] = {9};
    uint8_t r[32];
    char hex[65];

    for (int i = 0; i < 1000; i++) {
        assert_int_equal(x25519_shared(r, k, u), 0);
        memcpy(u, k, 32);
        memcpy(k, r, 32);
    }
    hex_encode(hex, k, 32);
    assert_string_equal(hex, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

static void test_x25519_random_pairs_match_openssl(void **state)
{
    for (int i = 0; i < 50; i++) {
        uint8_t a[32];
        uint8_t b[32];
        uint8_t pa[32];
        uint8_t pb[32];
        uint8_t shared[32];
        uint8_t theirs[32];
        size_t size = 32;
        EVP_PKEY *key;
        EVP_PKEY *peer;
        EVP_PKEY_CTX *ctx;

        assert_int_equal(RAND_bytes(a, 32), 1);
        assert_int_equal(RAND_bytes(b, 32), 1);
        x25519_public(pa, a);
        x25519_public(pb, b);
        assert_int_equal(x25519_shared(shared, a, pb), 0);
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, b, 32);
        peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, pa, 32);
        assert_non_null(key);
        assert_non_null(peer);
        ctx = EVP_PKEY_CTX_new(key, NULL);
        assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
        assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
        assert_int_equal(EVP_PKEY_derive(ctx, theirs, &size), 1);
        assert_memory_equal(shared, theirs, 32);
        EVP_PKEY_CTX_free(ctx);
        EVP_PKEY_free(peer);
        EVP_PKEY_free(key);
    }
}

/* Points of small order, p and 2p - 1 among their encodings, give zero whatever the secret. */
static void test_x25519_small_order_points_are_refused(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    };
    const uint8_t secret[32] = {77, 1, 2, 3, 4, 5};

    for (size_t i = 0; i < ARRAY_COUNT(points); i++) {
        uint8_t u[32];
        uint8_t out[32] = {0xaa};

        assert_int_equal(hex_decode(u, 32, points[i], 64), 0);
        assert_int_equal(x25519_shared(out, secret, u), -EINVAL);
        assert_int_equal(out[0], 0xaa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x25519_rfc7748_vectors),
        cmocka_unit_test(test_x25519_rfc7748_iterated),
        cmocka_unit_test(test_x25519_random_pairs_match_openssl),
        cmocka_unit_test(test_x25519_small_order_points_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
