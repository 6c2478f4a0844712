/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/crypto.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "core/ct.h"

struct evp_pkey_st *crypto_key_free(struct evp_pkey_st *key)
{
    EVP_PKEY_free(key);
    return NULL;
}

int crypto_random(void *ret, size_t size)
{
    uint8_t *p = ret;

    while (size > 0) {
        const size_t step = MIN(size, (size_t)INT_MAX);

        if (RAND_bytes(p, (int)step) != 1) {
            ERR_clear_error();
            return -EIO;
        }
        p += step;
        size -= step;
    }
    return 0;
}

int crypto_aes128_cmac(const uint8_t key[static 16], const void *data, size_t size,
                       uint8_t ret[static 16])
{
    char cipher[] = "AES-128-CBC";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    uint8_t out[16];
    size_t out_size = 0;
    int r = -EIO;

    if (ctx != NULL && EVP_MAC_init(ctx, key, 16, params) == 1 &&
        EVP_MAC_update(ctx, data, size) == 1 &&
        EVP_MAC_final(ctx, out, &out_size, sizeof(out)) == 1 && out_size == sizeof(out)) {
        memcpy(ret, out, sizeof(out));
        r = 0;
    }
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    ct_wipe(out, sizeof(out));
    ERR_clear_error();
    return r;
}

static const EVP_CIPHER *gcm_cipher(size_t key_size)
{
    switch (key_size) {
    case 16: return EVP_aes_128_gcm();
    case 32: return EVP_aes_256_gcm();
    default: return NULL;
    }
}

/* Feeds any size_t amount to an interface that counts in int. `out` is NULL for AAD. */
static int gcm_update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t size)
{
    while (size > 0) {
        const size_t step = MIN(size, (size_t)1 << 30);
        int n = 0;

        if (EVP_CipherUpdate(ctx, out, &n, in, (int)step) != 1 || n != (int)step) {
            return -EIO;
        }
        in += step;
        out = out != NULL ? out + step : NULL;
        size -= step;
    }
    return 0;
}

static int gcm_run(bool seal, const uint8_t *key, size_t key_size, const uint8_t *nonce,
                   const void *aad, size_t aad_size, const void *data, size_t size, uint8_t *tag,
                   void *ret)
{
    const EVP_CIPHER *cipher = gcm_cipher(key_size);
    EVP_CIPHER_CTX *ctx;
    uint8_t end[16];
    int n = 0;
    int r = -EIO;

    if (cipher == NULL) {
        return -EINVAL;
    }
    ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL && EVP_CipherInit_ex(ctx, cipher, NULL, key, nonce, seal) == 1) {
        r = gcm_update(ctx, NULL, aad, aad_size);
        r = r < 0 ? r : gcm_update(ctx, ret, data, size);
    }
    if (r == 0 && !seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, 16, tag) != 1) {
        r = -EIO;
    }
    if (r == 0 && EVP_CipherFinal_ex(ctx, end, &n) != 1) {
        r = seal ? -EIO : -EBADMSG;
    }
    if (r == 0 && seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, tag) != 1) {
        r = -EIO;
    }
    if (r < 0 && size > 0) {
        ct_wipe(ret, size);
    }
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return r;
}

int crypto_gcm_seal(const uint8_t *key, size_t key_size, const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const void *data, size_t size, void *ret,
                    uint8_t ret_tag[static 16])
{
    return gcm_run(/*seal=*/true, key, key_size, nonce, aad, aad_size, data, size, ret_tag, ret);
}

int crypto_gcm_open(const uint8_t *key, size_t key_size, const uint8_t nonce[static 12],
                    const void *aad, size_t aad_size, const void *data, size_t size,
                    const uint8_t tag[static 16], void *ret)
{
    uint8_t expected[16];

    memcpy(expected, tag, sizeof(expected)); /* OpenSSL's control wants a writable tag */
    return gcm_run(/*seal=*/false, key, key_size, nonce, aad, aad_size, data, size, expected, ret);
}
