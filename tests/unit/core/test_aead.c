/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/aead.h"
#include "core/hex.h"

#define MESSAGE_MAX 9000

static enum aead_level g_best;

/* xorshift64: the same cases in every run. */
static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void fill(uint64_t *seed, uint8_t *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(next_random(seed) >> 32);
    }
}

static void openssl_seal(const uint8_t *key, const uint8_t *nonce, const uint8_t *aad,
                         size_t aad_size, const uint8_t *src, size_t size, uint8_t *dst,
                         uint8_t *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    assert_non_null(ctx);
    assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce), 1);
    if (aad_size > 0) {
        assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_size), 1);
    }
    if (size > 0) {
        assert_int_equal(EVP_EncryptUpdate(ctx, dst, &n, src, (int)size), 1);
    }
    assert_int_equal(EVP_EncryptFinal_ex(ctx, dst + size, &n), 1);
    assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, tag), 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
static void test_aead_published_vector_at_every_level(void **state)
{
    uint8_t key[32];
    uint8_t nonce[12];
    uint8_t aad[20];
    uint8_t plain[60];
    uint8_t want[60];
    uint8_t want_tag[16];

    assert_int_equal(hex_decode(key, 32,
                                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f94"
                                "67308308",
                                64),
                     0);
    assert_int_equal(hex_decode(nonce, 12, "cafebabefacedbaddecaf888", 24), 0);
    assert_int_equal(hex_decode(aad, 20, "feedfacedeadbeeffeedfacedeadbeefabaddad2", 40), 0);
    assert_int_equal(hex_decode(plain, 60,
                                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                                120),
                     0);
    assert_int_equal(hex_decode(want, 60,
                                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                                120),
                     0);
    assert_int_equal(hex_decode(want_tag, 16, "76fc6ece0f4e1768cddf8853bb2d551b", 32), 0);
    for (int level = AEAD_SSE; level <= (int)g_best; level++) {
        struct aead_key k;
        uint8_t got[60];
        uint8_t tag[16];

        aead_set_level((enum aead_level)level);
        aead_key_init(&k, key);
        aead_seal(&k, nonce, aad, 20, plain, 60, got, tag);
        assert_memory_equal(got, want, 60);
        assert_memory_equal(tag, want_tag, 16);
    }
}

/* Lengths around every unroll border, whole pages, with and without associated data, both in place
 * and apart. */
static void test_aead_random_messages_match_openssl_at_every_level(void **state)
{
    static uint8_t plain[MESSAGE_MAX];
    static uint8_t want[MESSAGE_MAX + 16];
    static uint8_t got[MESSAGE_MAX];
    uint64_t seed = 0x6e61637265;

    for (int i = 0; i < 3000; i++) {
        const enum aead_level level = (enum aead_level)(i % ((int)g_best + 1));
        size_t size = i < 1200 ? (size_t)(i / 3) : next_random(&seed) % MESSAGE_MAX;
        size_t aad_size = i % 2 == 0 ? 0 : next_random(&seed) % 64;
        struct aead_key k;
        uint8_t key[32];
        uint8_t nonce[12];
        uint8_t aad[64];
        uint8_t want_tag[16];
        uint8_t tag[16];

        if (i % 7 == 0) {
            size = 4096;
        }
        fill(&seed, key, 32);
        fill(&seed, nonce, 12);
        fill(&seed, aad, aad_size);
        fill(&seed, plain, size);
        openssl_seal(key, nonce, aad, aad_size, plain, size, want, want_tag);
        aead_set_level(level);
        aead_key_init(&k, key);
        aead_seal(&k, nonce, aad, aad_size, plain, size, got, tag);
        assert_memory_equal(got, want, size);
        assert_memory_equal(tag, want_tag, 16);
        assert_int_equal(aead_open(&k, nonce, aad, aad_size, got, size, got, tag), 0);
        assert_memory_equal(got, plain, size);
    }
}

static void test_aead_any_flipped_bit_is_refused_and_yields_zeros(void **state)
{
    static const uint8_t zeros[64];
    uint8_t key[32] = {1};
    uint8_t nonce[12] = {2};
    uint8_t aad[5] = "abcd";
    uint8_t plain[64];
    uint8_t box[64];
    uint8_t out[64];
    uint8_t tag[16];

    memset(plain, 'x', sizeof(plain));
    for (int level = AEAD_SSE; level <= (int)g_best; level++) {
        struct aead_key k;

        aead_set_level((enum aead_level)level);
        aead_key_init(&k, key);
        aead_seal(&k, nonce, aad, sizeof(aad), plain, sizeof(plain), box, tag);
        for (size_t bit = 0; bit < 8 * (sizeof(box) + 16 + 12 + sizeof(aad)); bit++) {
            const uint8_t mask = (uint8_t)(1 << bit % 8);
            size_t byte = bit / 8;
            uint8_t *where = byte < 64   ? &box[byte]
                             : byte < 80 ? &tag[byte - 64]
                             : byte < 92 ? &nonce[byte - 80]
                                         : &aad[byte - 92];

            *where ^= mask;
            memset(out, 'y', sizeof(out));
            assert_int_equal(aead_open(&k, nonce, aad, sizeof(aad), box, sizeof(box), out, tag),
                             -EBADMSG);
            assert_memory_equal(out, zeros, sizeof(out));
            *where ^= mask;
        }
        assert_int_equal(aead_open(&k, nonce, aad, sizeof(aad), box, sizeof(box), out, tag), 0);
        assert_memory_equal(out, plain, sizeof(out));
    }
}

static int setup(void **state)
{
    g_best = aead_get_level();
    print_message("# this processor runs AEAD levels 0 to %d\n", (int)g_best);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aead_published_vector_at_every_level),
        cmocka_unit_test(test_aead_random_messages_match_openssl_at_every_level),
        cmocka_unit_test(test_aead_any_flipped_bit_is_refused_and_yields_zeros),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
