/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/aead.h"

#include "core/ct.h"

/*
 * The library's header wants libc, which the trusted build has not: the few functions used are
 * declared here. The build checks the sizes below against the header (src/core/meson.build), and
 * test_aead compares every level with OpenSSL.
 */
struct gcm_key_data;
struct gcm_context_data;

#define GCM_CONTEXT_SIZE 96u

#define GCM_LEVEL_(suffix, keyexp)                                                          \
    void keyexp(const void *key, void *enc_exp_keys);                                       \
    void aes_gcm_precomp_256_##suffix(struct gcm_key_data *key);                            \
    void aes_gcm_enc_256_##suffix(const struct gcm_key_data *, struct gcm_context_data *,   \
                                  uint8_t *out, const uint8_t *in, uint64_t size,           \
                                  const uint8_t *iv, const uint8_t *aad, uint64_t aad_size, \
                                  uint8_t *tag, uint64_t tag_size);                         \
    void aes_gcm_dec_256_##suffix(const struct gcm_key_data *, struct gcm_context_data *,   \
                                  uint8_t *out, const uint8_t *in, uint64_t size,           \
                                  const uint8_t *iv, const uint8_t *aad, uint64_t aad_size, \
                                  uint8_t *tag, uint64_t tag_size);

GCM_LEVEL_(sse, aes_keyexp_256_enc_sse)
GCM_LEVEL_(avx_gen4, aes_keyexp_256_enc_avx2)
GCM_LEVEL_(vaes_avx512, aes_keyexp_256_enc_avx512)

/*
 * The library reports misuse through these two variables; its own definitions live in an object
 * that drags the manager in. Arguments are checked here, so nothing ever reads them.
 */
extern int imb_errno;
extern const int imb_errno_types[1];
__attribute__((visibility("hidden"))) int imb_errno;
__attribute__((visibility("hidden"))) const int imb_errno_types[1];

static int g_level = -1; /* enum aead_level, or -1: not chosen yet */

#ifdef NACRE_TRUSTED
static enum aead_level best_level(void)
{
    return AEAD_SSE;
}
#else
static void cpuid(uint32_t leaf, uint32_t r[static 4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

static enum aead_level best_level(void)
{
    const uint32_t avx512_b = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const uint32_t vaes_c = 1u << 9 | 1u << 10;                          /* VAES, VPCLMULQDQ */
    uint32_t one[4];
    uint32_t seven[4];
    uint32_t xcr0;
    uint32_t high;

    cpuid(1, one);
    if ((one[2] & 1u << 27) == 0) { /* OSXSAVE: without it XGETBV faults */
        return AEAD_SSE;
    }
    __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(high) : "c"(0));
    cpuid(7, seven);
    if ((xcr0 & 0xe6) == 0xe6 && (seven[1] & avx512_b) == avx512_b &&
        (seven[2] & vaes_c) == vaes_c) {
        return AEAD_AVX512;
    }
    if ((xcr0 & 0x6) == 0x6 && (seven[1] & 1u << 5) != 0) {
        return AEAD_AVX2;
    }
    return AEAD_SSE;
}
#endif

void aead_set_level(enum aead_level level)
{
    __atomic_store_n(&g_level, (int)level, __ATOMIC_RELAXED);
}

enum aead_level aead_get_level(void)
{
    int level = __atomic_load_n(&g_level, __ATOMIC_RELAXED);

    if (level < 0) {
        level = (int)best_level();
        __atomic_store_n(&g_level, level, __ATOMIC_RELAXED);
    }
    return (enum aead_level)level;
}

static const struct gcm_key_data *key_data(const struct aead_key *k)
{
    return (const struct gcm_key_data *)(const void *)k->expanded;
}

void aead_key_init(struct aead_key *k, const uint8_t key[static AEAD_KEY_SIZE])
{
    struct gcm_key_data *data = (struct gcm_key_data *)(void *)k->expanded;

    /* The round keys come first in the library's structure, the GHASH powers behind them. */
    k->level = aead_get_level();
    switch (k->level) {
    case AEAD_SSE:
        aes_keyexp_256_enc_sse(key, k->expanded);
        aes_gcm_precomp_256_sse(data);
        break;
    case AEAD_AVX2:
        aes_keyexp_256_enc_avx2(key, k->expanded);
        aes_gcm_precomp_256_avx_gen4(data);
        break;
    case AEAD_AVX512:
        aes_keyexp_256_enc_avx512(key, k->expanded);
        aes_gcm_precomp_256_vaes_avx512(data);
        break;
    }
}

void aead_key_wipe(struct aead_key *k)
{
    ct_wipe(k, sizeof(*k));
}

void aead_seal(const struct aead_key *k, const uint8_t nonce[static AEAD_NONCE_SIZE],
               const void *aad, size_t aad_size, const void *src, size_t size, void *dst,
               uint8_t ret_tag[static AEAD_TAG_SIZE])
{
    uint8_t context[GCM_CONTEXT_SIZE] _aligned_(64);
    struct gcm_context_data *ctx = (struct gcm_context_data *)(void *)context;

    switch (k->level) {
    case AEAD_SSE:
        aes_gcm_enc_256_sse(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, ret_tag,
                            AEAD_TAG_SIZE);
        break;
    case AEAD_AVX2:
        aes_gcm_enc_256_avx_gen4(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, ret_tag,
                                 AEAD_TAG_SIZE);
        break;
    case AEAD_AVX512:
        aes_gcm_enc_256_vaes_avx512(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, ret_tag,
                                    AEAD_TAG_SIZE);
        break;
    }
    ct_wipe(context, sizeof(context));
}

int aead_open(const struct aead_key *k, const uint8_t nonce[static AEAD_NONCE_SIZE],
              const void *aad, size_t aad_size, const void *src, size_t size, void *dst,
              const uint8_t tag[static AEAD_TAG_SIZE])
{
    uint8_t context[GCM_CONTEXT_SIZE] _aligned_(64);
    struct gcm_context_data *ctx = (struct gcm_context_data *)(void *)context;
    uint8_t got[AEAD_TAG_SIZE];
    bool same;

    switch (k->level) {
    case AEAD_SSE:
        aes_gcm_dec_256_sse(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, got,
                            AEAD_TAG_SIZE);
        break;
    case AEAD_AVX2:
        aes_gcm_dec_256_avx_gen4(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, got,
                                 AEAD_TAG_SIZE);
        break;
    case AEAD_AVX512:
        aes_gcm_dec_256_vaes_avx512(key_data(k), ctx, dst, src, size, nonce, aad, aad_size, got,
                                    AEAD_TAG_SIZE);
        break;
    }
    same = ct_equal(got, tag, sizeof(got));
    ct_wipe(context, sizeof(context));
    ct_wipe(got, sizeof(got)); /* the right tag for a forged message must not leak */
    if (!same) {
        ct_wipe(dst, size);
        return -EBADMSG;
    }
    return 0;
}
