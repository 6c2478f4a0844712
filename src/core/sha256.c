/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/sha256.h"

#include <immintrin.h>

#include "core/ct.h"
#include "core/le.h"

static const uint32_t sha256_k[64] _aligned_(64) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static bool g_force_portable;

static inline uint32_t ror(uint32_t v, int n)
{
    return v >> n | v << (32 - n);
}

static void sha256_blocks_portable(uint32_t state[static 8], const uint8_t *p, size_t blocks)
{
    uint32_t w[64];

    for (; blocks > 0; blocks--, p += SHA256_BLOCK) {
        uint32_t s[8];

        for (int i = 0; i < 16; i++) {
            w[i] = be32_load(p + 4 * i);
        }
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        __builtin_memcpy(s, state, sizeof(s));
        for (int i = 0; i < 64; i++) {
            uint32_t e1 = ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25);
            uint32_t ch = (s[4] & s[5]) ^ (~s[4] & s[6]);
            uint32_t t1 = s[7] + e1 + ch + sha256_k[i] + w[i];
            uint32_t e0 = ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22);
            uint32_t maj = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
            uint32_t t2 = e0 + maj;

            s[7] = s[6];
            s[6] = s[5];
            s[5] = s[4];
            s[4] = s[3] + t1;
            s[3] = s[2];
            s[2] = s[1];
            s[1] = s[0];
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) {
            state[i] += s[i];
        }
    }
    ct_wipe(w, sizeof(w));
}

/* Four rounds per step; `m0` is the message group being consumed, `m1..m3` the three after it. */
__attribute__((target("sha,sse4.1"))) static void sha256_blocks_ni(uint32_t state[static 8],
                                                                   const uint8_t *p, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i tmp = _mm_loadu_si128((const __m128i *)(const void *)&state[0]);
    __m128i s1 = _mm_loadu_si128((const __m128i *)(const void *)&state[4]);
    __m128i s0;

    /* The instructions want the halves as ABEF and CDGH. */
    tmp = _mm_shuffle_epi32(tmp, 0xb1);
    s1 = _mm_shuffle_epi32(s1, 0x1b);
    s0 = _mm_alignr_epi8(tmp, s1, 8);
    s1 = _mm_blend_epi16(s1, tmp, 0xf0);

    for (; blocks > 0; blocks--, p += SHA256_BLOCK) {
        const __m128i save0 = s0;
        const __m128i save1 = s1;
        __m128i m[4];

        for (int i = 0; i < 4; i++) {
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)),
                                    swap);
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i k = _mm_load_si128((const __m128i *)(const void *)&sha256_k[4 * i]);
            __m128i w = _mm_add_epi32(m[i & 3], k);

            s1 = _mm_sha256rnds2_epu32(s1, s0, w);
            s0 = _mm_sha256rnds2_epu32(s0, s1, _mm_shuffle_epi32(w, 0x0e));
            if (i < 12) {
                __m128i x = _mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]);

                x = _mm_add_epi32(x, _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4));
                m[i & 3] = _mm_sha256msg2_epu32(x, m[(i + 3) & 3]);
            }
        }
        s0 = _mm_add_epi32(s0, save0);
        s1 = _mm_add_epi32(s1, save1);
    }

    tmp = _mm_shuffle_epi32(s0, 0x1b);
    s1 = _mm_shuffle_epi32(s1, 0xb1);
    s0 = _mm_blend_epi16(tmp, s1, 0xf0);
    s1 = _mm_alignr_epi8(s1, tmp, 8);
    _mm_storeu_si128((__m128i *)(void *)&state[0], s0);
    _mm_storeu_si128((__m128i *)(void *)&state[4], s1);
}

/*
 * Inside an enclave CPUID is not to be had, so the trusted build assumes the SHA extensions: every
 * processor nacre targets (Ice Lake-SP and later) has them. softsgx checks that the host does too.
 */
static bool have_sha_ni(void)
{
#ifdef NACRE_TRUSTED
    return true;
#else
    static int known = -1;

    if (known < 0) {
        uint32_t a = 7;
        uint32_t b;
        uint32_t c = 0;
        uint32_t d;

        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        known = (int)(b >> 29 & 1);
    }
    return known == 1;
#endif
}

static void sha256_blocks(uint32_t state[static 8], const uint8_t *p, size_t blocks)
{
    if (!g_force_portable && have_sha_ni()) {
        sha256_blocks_ni(state, p, blocks);
    } else {
        sha256_blocks_portable(state, p, blocks);
    }
}

void sha256_force_portable(bool on)
{
    g_force_portable = on;
}

void sha256_init(struct sha256 *ctx)
{
    static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    __builtin_memcpy(ctx->state, iv, sizeof(iv));
    ctx->bytes = 0;
}

void sha256_update(struct sha256 *ctx, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t have = (size_t)(ctx->bytes % SHA256_BLOCK);

    if (size == 0) {
        return;
    }
    ctx->bytes += size;
    if (have > 0) {
        size_t take = MIN(size, SHA256_BLOCK - have);

        __builtin_memcpy(ctx->buf + have, p, take);
        p += take;
        size -= take;
        if (have + take < SHA256_BLOCK) {
            return;
        }
        sha256_blocks(ctx->state, ctx->buf, 1);
    }
    if (size >= SHA256_BLOCK) {
        size_t blocks = size / SHA256_BLOCK;

        sha256_blocks(ctx->state, p, blocks);
        p += blocks * SHA256_BLOCK;
        size -= blocks * SHA256_BLOCK;
    }
    if (size > 0) {
        __builtin_memcpy(ctx->buf, p, size);
    }
}

void sha256_final(struct sha256 *ctx, uint8_t ret[static SHA256_SIZE])
{
    const uint64_t bits = ctx->bytes * 8;
    size_t have = (size_t)(ctx->bytes % SHA256_BLOCK);

    ctx->buf[have++] = 0x80;
    if (have > SHA256_BLOCK - 8) {
        __builtin_memset(ctx->buf + have, 0, SHA256_BLOCK - have);
        sha256_blocks(ctx->state, ctx->buf, 1);
        have = 0;
    }
    __builtin_memset(ctx->buf + have, 0, SHA256_BLOCK - 8 - have);
    be64_store(ctx->buf + SHA256_BLOCK - 8, bits);
    sha256_blocks(ctx->state, ctx->buf, 1);
    for (int i = 0; i < 8; i++) {
        be32_store(ret + 4 * i, ctx->state[i]);
    }
    ct_wipe(ctx, sizeof(*ctx));
}

void sha256(const void *data, size_t size, uint8_t ret[static SHA256_SIZE])
{
    struct sha256 ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, data, size);
    sha256_final(&ctx, ret);
}
