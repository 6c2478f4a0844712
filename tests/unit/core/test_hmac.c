/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "core/hex.h"
#include "core/hmac.h"

/* RFC 4231 cases 2 and 6 (key longer than a block). */
static void test_hmac_rfc4231_vectors(void **state)
{
    uint8_t key[131];
    uint8_t mac[32];
    char hex[65];

    hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, mac);
    hex_encode(hex, mac, 32);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof(key));
    hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                mac);
    hex_encode(hex, mac, 32);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_all_key_lengths_match_openssl(void **state)
{
    uint8_t key[200];
    uint8_t data[97];

    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 11 + 5);
        data[i % sizeof(data)] = (uint8_t)(i * 7);
    }
    for (size_t n = 0; n <= sizeof(key); n++) {
        uint8_t want[32];
        uint8_t got[32];
        unsigned size = 0;

        assert_non_null(HMAC(EVP_sha256(), key, (int)n, data, sizeof(data), want, &size));
        hmac_sha256(key, n, data, sizeof(data), got);
        assert_memory_equal(got, want, 32);
    }
}

struct hkdf_case {
    const char *ikm;
    const char *salt;
    const char *info;
    const char *okm;
};

/* RFC 5869, appendix A.1, A.2, A.3. */
static const struct hkdf_case hkdf_cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
     "f0f1f2f3f4f5f6f7f8f9",
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d"
     "2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
     "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d"
     "8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdd"
     "dedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
     "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static size_t unhex(uint8_t *dst, const char *hex)
{
    size_t n = strlen(hex) / 2;

    assert_int_equal(hex_decode(dst, n, hex, strlen(hex)), 0);
    return n;
}

static void test_hkdf_rfc5869_vectors(void **state)
{
    for (size_t i = 0; i < sizeof(hkdf_cases) / sizeof(hkdf_cases[0]); i++) {
        const struct hkdf_case *c = &hkdf_cases[i];
        uint8_t ikm[80];
        uint8_t salt[80];
        uint8_t info[80];
        uint8_t want[82];
        uint8_t got[82];
        size_t n = unhex(want, c->okm);
        size_t ikm_size = unhex(ikm, c->ikm);
        size_t salt_size = unhex(salt, c->salt);
        size_t info_size = unhex(info, c->info);

        assert_int_equal(hkdf_sha256(salt, salt_size, ikm, ikm_size, info, info_size, got, n), 0);
        assert_memory_equal(got, want, n);
    }
}

static void test_hkdf_more_than_255_blocks_is_refused(void **state)
{
    static uint8_t out[HKDF_SHA256_MAX + 1];

    assert_int_equal(hkdf_sha256("s", 1, "k", 1, "i", 1, out, HKDF_SHA256_MAX), 0);
    assert_int_equal(hkdf_sha256("s", 1, "k", 1, "i", 1, out, HKDF_SHA256_MAX + 1), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac_rfc4231_vectors),
        cmocka_unit_test(test_hmac_all_key_lengths_match_openssl),
        cmocka_unit_test(test_hkdf_rfc5869_vectors),
        cmocka_unit_test(test_hkdf_more_than_255_blocks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
