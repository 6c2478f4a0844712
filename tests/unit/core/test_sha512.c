/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <openssl/sha.h>

#include "core/hex.h"
#include "core/sha512.h"

/* FIPS 180-4 example, SHA-512("abc"). */
static void test_sha512_published_vector(void **state)
{
    uint8_t digest[SHA512_SIZE];
    char hex[2 * SHA512_SIZE + 1];

    sha512("abc", 3, digest);
    hex_encode(hex, digest, sizeof(digest));
    assert_string_equal(hex, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                             "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

static void test_sha512_all_lengths_and_splits_match_openssl(void **state)
{
    uint8_t data[400];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 67 + 3);
    }
    for (size_t size = 0; size <= sizeof(data); size++) {
        uint8_t want[64];

        SHA512(data, size, want);
        for (size_t cut = 0; cut <= size; cut += 29) {
            struct sha512 ctx;
            uint8_t got[64];

            sha512_init(&ctx);
            sha512_update(&ctx, data, cut);
            sha512_update(&ctx, data + cut, size - cut);
            sha512_final(&ctx, got);
            assert_memory_equal(got, want, 64);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha512_published_vector),
        cmocka_unit_test(test_sha512_all_lengths_and_splits_match_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
