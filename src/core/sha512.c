/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/sha512.h"

#include "core/ct.h"
#include "core/le.h"

static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static inline uint64_t ror64(uint64_t v, int n)
{
    return v >> n | v << (64 - n);
}

static void sha512_blocks(uint64_t state[static 8], const uint8_t *p, size_t blocks)
{
    uint64_t w[80];
    uint64_t s[8];

    for (; blocks > 0; blocks--, p += SHA512_BLOCK) {
        for (int i = 0; i < 16; i++) {
            w[i] = be64_load(p + 8 * i);
        }
        for (int i = 16; i < 80; i++) {
            uint64_t s0 = ror64(w[i - 15], 1) ^ ror64(w[i - 15], 8) ^ w[i - 15] >> 7;
            uint64_t s1 = ror64(w[i - 2], 19) ^ ror64(w[i - 2], 61) ^ w[i - 2] >> 6;

            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        __builtin_memcpy(s, state, sizeof(s));
        for (int i = 0; i < 80; i++) {
            uint64_t e1 = ror64(s[4], 14) ^ ror64(s[4], 18) ^ ror64(s[4], 41);
            uint64_t ch = (s[4] & s[5]) ^ (~s[4] & s[6]);
            uint64_t t1 = s[7] + e1 + ch + sha512_k[i] + w[i];
            uint64_t e0 = ror64(s[0], 28) ^ ror64(s[0], 34) ^ ror64(s[0], 39);
            uint64_t maj = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);

            s[7] = s[6];
            s[6] = s[5];
            s[5] = s[4];
            s[4] = s[3] + t1;
            s[3] = s[2];
            s[2] = s[1];
            s[1] = s[0];
            s[0] = t1 + e0 + maj;
        }
        for (int i = 0; i < 8; i++) {
            state[i] += s[i];
        }
    }
    ct_wipe(w, sizeof(w));
    ct_wipe(s, sizeof(s));
}

void sha512_init(struct sha512 *ctx)
{
    static const uint64_t iv[8] = {
        0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
        0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
    };

    __builtin_memcpy(ctx->state, iv, sizeof(iv));
    ctx->bytes = 0;
}

void sha512_update(struct sha512 *ctx, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t have = (size_t)(ctx->bytes % SHA512_BLOCK);

    if (size == 0) {
        return;
    }
    ctx->bytes += size;
    if (have > 0) {
        size_t take = MIN(size, SHA512_BLOCK - have);

        __builtin_memcpy(ctx->buf + have, p, take);
        p += take;
        size -= take;
        if (have + take < SHA512_BLOCK) {
            return;
        }
        sha512_blocks(ctx->state, ctx->buf, 1);
    }
    sha512_blocks(ctx->state, p, size / SHA512_BLOCK);
    p += size - size % SHA512_BLOCK;
    if (size % SHA512_BLOCK > 0) {
        __builtin_memcpy(ctx->buf, p, size % SHA512_BLOCK);
    }
}

void sha512_final(struct sha512 *ctx, uint8_t ret[static SHA512_SIZE])
{
    const uint64_t bytes = ctx->bytes;
    size_t have = (size_t)(bytes % SHA512_BLOCK);

    ctx->buf[have++] = 0x80;
    if (have > SHA512_BLOCK - 16) {
        __builtin_memset(ctx->buf + have, 0, SHA512_BLOCK - have);
        sha512_blocks(ctx->state, ctx->buf, 1);
        have = 0;
    }
    __builtin_memset(ctx->buf + have, 0, SHA512_BLOCK - 16 - have);
    be64_store(ctx->buf + SHA512_BLOCK - 16, bytes >> 61);
    be64_store(ctx->buf + SHA512_BLOCK - 8, bytes << 3);
    sha512_blocks(ctx->state, ctx->buf, 1);
    for (int i = 0; i < 8; i++) {
        be64_store(ret + 8 * i, ctx->state[i]);
    }
    ct_wipe(ctx, sizeof(*ctx));
}

void sha512(const void *data, size_t size, uint8_t ret[static SHA512_SIZE])
{
    struct sha512 ctx;

    sha512_init(&ctx);
    sha512_update(&ctx, data, size);
    sha512_final(&ctx, ret);
}
