/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* ECDSA P-256: a published signature, and everything about it changed. */

#include "attest/p256_internal.h"

#include <string.h>

#include "core/hex.h"
#include "unit/unit.h"

/* RFC 6979, A.2.5, P-256 with SHA-256, message "sample". */
static const char g_key[] = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char g_signature[] =
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
static const char g_order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void load(uint8_t key[64], uint8_t signature[64])
{
    assert_int_equal(hex_decode(key, 64, g_key, 128), 0);
    assert_int_equal(hex_decode(signature, 64, g_signature, 128), 0);
}

static void test_verify_published_signature(void **state)
{
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    uint8_t xy[64];
    uint8_t rs[64];

    load(xy, rs);
    assert_int_equal(p256_key_new(xy, &key), 0);
    assert_int_equal(p256_verify(key, "sample", 6, rs), 0);
    assert_int_equal(p256_verify(key, "sampl", 5, rs), -EKEYREJECTED);
    assert_int_equal(p256_verify(key, "Sample", 6, rs), -EKEYREJECTED);
}

static void test_verify_any_bit_changed_is_refused(void **state)
{
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    uint8_t xy[64];
    uint8_t rs[64];

    load(xy, rs);
    assert_int_equal(p256_key_new(xy, &key), 0);
    for (size_t bit = 0; bit < 512; bit++) {
        rs[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(p256_verify(key, "sample", 6, rs), -EKEYREJECTED);
        rs[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_verify_scalars_out_of_range_are_refused(void **state)
{
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    uint8_t xy[64];
    uint8_t rs[64];
    uint8_t good[64];

    load(xy, good);
    assert_int_equal(p256_key_new(xy, &key), 0);
    for (size_t half = 0; half < 64; half += 32) {
        memcpy(rs, good, sizeof(rs));
        memset(rs + half, 0, 32);
        assert_int_equal(p256_verify(key, "sample", 6, rs), -EKEYREJECTED);
        memset(rs + half, 0xff, 32);
        assert_int_equal(p256_verify(key, "sample", 6, rs), -EKEYREJECTED);
        assert_int_equal(hex_decode(rs + half, 32, g_order, 64), 0);
        assert_int_equal(p256_verify(key, "sample", 6, rs), -EKEYREJECTED);
    }
}

static void test_key_new_point_off_the_curve_is_refused(void **state)
{
    struct p256_key *key = NULL;
    uint8_t xy[64];
    uint8_t rs[64];

    load(xy, rs);
    xy[63] ^= 1;
    assert_int_equal(p256_key_new(xy, &key), -EKEYREJECTED);
    assert_null(key);
    memset(xy, 0, sizeof(xy));
    assert_int_equal(p256_key_new(xy, &key), -EKEYREJECTED);
    memset(xy, 0xff, sizeof(xy));
    assert_int_equal(p256_key_new(xy, &key), -EKEYREJECTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_published_signature),
        cmocka_unit_test(test_verify_any_bit_changed_is_refused),
        cmocka_unit_test(test_verify_scalars_out_of_range_are_refused),
        cmocka_unit_test(test_key_new_point_off_the_curve_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
