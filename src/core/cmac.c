/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/cmac.h"

#include <immintrin.h>

#include "core/ct.h"

#define ROUNDS 10

struct aes128 {
    __m128i key[ROUNDS + 1];
};

#define AES_TARGET __attribute__((target("aes,sse2")))

AES_TARGET static inline __m128i next_key(__m128i key, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xff);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    return _mm_xor_si128(key, assist);
}

AES_TARGET static void expand(struct aes128 *a, const uint8_t key[static 16])
{
    a->key[0] = _mm_loadu_si128((const __m128i *)(const void *)key);
/* The round constant must be an immediate. */
#define ROUND(i, rcon) \
    a->key[i] = next_key(a->key[(i)-1], _mm_aeskeygenassist_si128(a->key[(i)-1], rcon))
    ROUND(1, 0x01);
    ROUND(2, 0x02);
    ROUND(3, 0x04);
    ROUND(4, 0x08);
    ROUND(5, 0x10);
    ROUND(6, 0x20);
    ROUND(7, 0x40);
    ROUND(8, 0x80);
    ROUND(9, 0x1b);
    ROUND(10, 0x36);
#undef ROUND
}

AES_TARGET static inline __m128i encrypt(const struct aes128 *a, __m128i block)
{
    block = _mm_xor_si128(block, a->key[0]);
    for (int i = 1; i < ROUNDS; i++) {
        block = _mm_aesenc_si128(block, a->key[i]);
    }
    return _mm_aesenclast_si128(block, a->key[ROUNDS]);
}

/* Doubling in GF(2^128), big-endian (SP 800-38B, 6.1). */
static void twice(uint8_t b[static 16])
{
    uint8_t carry = (uint8_t)(b[0] >> 7);

    for (int i = 0; i < 15; i++) {
        b[i] = (uint8_t)(b[i] << 1 | b[i + 1] >> 7);
    }
    b[15] = (uint8_t)(b[15] << 1 ^ (carry * 0x87));
}

AES_TARGET void cmac_aes128(const uint8_t key[static 16], const void *data, size_t size,
                            uint8_t ret[static CMAC_SIZE])
{
    const uint8_t *p = data;
    struct aes128 a;
    __m128i mac = _mm_setzero_si128();
    uint8_t subkey[16];
    uint8_t last[16] = {0};

    expand(&a, key);
    _mm_storeu_si128((__m128i *)(void *)subkey, encrypt(&a, mac));
    twice(subkey);
    while (size > 16) {
        mac = encrypt(&a, _mm_xor_si128(mac, _mm_loadu_si128((const __m128i *)(const void *)p)));
        p += 16;
        size -= 16;
    }
    for (size_t i = 0; i < size; i++) {
        last[i] = p[i];
    }
    if (size < 16) {
        twice(subkey);
        last[size] = 0x80;
    }
    for (int i = 0; i < 16; i++) {
        last[i] ^= subkey[i];
    }
    mac = encrypt(&a, _mm_xor_si128(mac, _mm_loadu_si128((const __m128i *)(const void *)last)));
    _mm_storeu_si128((__m128i *)(void *)ret, mac);
    ct_wipe(&a, sizeof(a));
    ct_wipe(subkey, sizeof(subkey));
    ct_wipe(last, sizeof(last));
}
