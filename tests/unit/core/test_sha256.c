/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <openssl/sha.h>
#include <string.h>

#include "core/hex.h"
#include "core/sha256.h"

static void check(const void *data, size_t size, const char *want)
{
    uint8_t digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];

    sha256(data, size, digest);
    hex_encode(hex, digest, sizeof(digest));
    assert_string_equal(hex, want);
}

/* FIPS 180-4 examples. */
static void test_sha256_published_vectors(void **state)
{
    for (int portable = 0; portable < 2; portable++) {
        sha256_force_portable(portable);
        check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    sha256_force_portable(false);
}

/* Every length around the block borders, in every split, against an independent implementation. */
static void test_sha256_all_lengths_and_splits_match_openssl(void **state)
{
    uint8_t data[300];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 131 + 7);
    }
    for (int portable = 0; portable < 2; portable++) {
        sha256_force_portable(portable);
        for (size_t size = 0; size <= sizeof(data); size++) {
            uint8_t want[32];

            SHA256(data, size, want);
            for (size_t cut = 0; cut <= size; cut += 13) {
                struct sha256 ctx;
                uint8_t got[32];

                sha256_init(&ctx);
                sha256_update(&ctx, data, cut);
                sha256_update(&ctx, data + cut, size - cut);
                sha256_final(&ctx, got);
                assert_memory_equal(got, want, 32);
            }
        }
    }
    sha256_force_portable(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256_published_vectors),
        cmocka_unit_test(test_sha256_all_lengths_and_splits_match_openssl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
