/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/hmac.h"

#include "core/ct.h"

void hmac_sha256_init(struct hmac_sha256 *ctx, const void *key, size_t key_size)
{
    uint8_t pad[SHA256_BLOCK] = {0};

    if (key_size > sizeof(pad)) {
        sha256(key, key_size, pad);
    } else if (key_size > 0) {
        __builtin_memcpy(pad, key, key_size);
    }
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36;
    }
    sha256_init(&ctx->inner);
    sha256_update(&ctx->inner, pad, sizeof(pad));
    for (size_t i = 0; i < sizeof(pad); i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    sha256_init(&ctx->outer);
    sha256_update(&ctx->outer, pad, sizeof(pad));
    ct_wipe(pad, sizeof(pad));
}

void hmac_sha256_update(struct hmac_sha256 *ctx, const void *data, size_t size)
{
    sha256_update(&ctx->inner, data, size);
}

void hmac_sha256_final(struct hmac_sha256 *ctx, uint8_t ret[static SHA256_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256_final(&ctx->inner, digest);
    sha256_update(&ctx->outer, digest, sizeof(digest));
    sha256_final(&ctx->outer, ret);
    ct_wipe(digest, sizeof(digest));
}

void hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                 uint8_t ret[static SHA256_SIZE])
{
    struct hmac_sha256 ctx;

    hmac_sha256_init(&ctx, key, key_size);
    hmac_sha256_update(&ctx, data, size);
    hmac_sha256_final(&ctx, ret);
}

void hkdf_sha256_extract(const void *salt, size_t salt_size, const void *ikm, size_t ikm_size,
                         uint8_t ret_prk[static SHA256_SIZE])
{
    /* An empty HMAC key is padded to the same block as 32 zero bytes. */
    hmac_sha256(salt, salt_size, ikm, ikm_size, ret_prk);
}

int hkdf_sha256_expand(const uint8_t prk[static SHA256_SIZE], const void *info, size_t info_size,
                       void *dst, size_t size)
{
    uint8_t t[SHA256_SIZE];
    uint8_t *p = dst;
    uint8_t counter = 0;
    size_t t_size = 0;

    if (size > HKDF_SHA256_MAX) {
        return -EINVAL;
    }
    while (size > 0) {
        struct hmac_sha256 ctx;
        size_t take = MIN(size, sizeof(t));

        counter++;
        hmac_sha256_init(&ctx, prk, SHA256_SIZE);
        hmac_sha256_update(&ctx, t, t_size);
        hmac_sha256_update(&ctx, info, info_size);
        hmac_sha256_update(&ctx, &counter, 1);
        hmac_sha256_final(&ctx, t);
        t_size = sizeof(t);
        __builtin_memcpy(p, t, take);
        p += take;
        size -= take;
    }
    ct_wipe(t, sizeof(t));
    return 0;
}

int hkdf_sha256(const void *salt, size_t salt_size, const void *ikm, size_t ikm_size,
                const void *info, size_t info_size, void *dst, size_t size)
{
    uint8_t prk[SHA256_SIZE];
    int r;

    hkdf_sha256_extract(salt, salt_size, ikm, ikm_size, prk);
    r = hkdf_sha256_expand(prk, info, info_size, dst, size);
    ct_wipe(prk, sizeof(prk));
    return r;
}
