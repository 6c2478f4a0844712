/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/signatures.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "core/ct.h"
#include "core/le.h"
#include "core/sha256.h"
#include "policy/text.h"

#define VALUE_MAX ((size_t)4096)

/* Each with its NUL; of one length. */
#define LABEL       "nacre request v1"
#define LABEL_QUERY "nacre request v2"

static void pkey_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void md_freep(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static bool key_is_strong(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return true;
    case EVP_PKEY_EC: return EVP_PKEY_get_bits(key) >= 256;
    case EVP_PKEY_RSA: return EVP_PKEY_get_bits(key) >= 2048 && EVP_PKEY_get_bits(key) <= 4096;
    default: return false;
    }
}

/* Ed25519 hashes by itself. */
static const EVP_MD *digest_of(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
}

static uint8_t *put(uint8_t *p, const void *data, size_t size)
{
    memcpy(p, data, size);
    return p + size;
}

/* How many parameters a signature must cover: signatures.h. */
static size_t covered(const struct signed_request *req)
{
    return strcmp(req->method, "POST") == 0 ? 0 : req->query_count;
}

/* What is signed; malloc'd. */
static int make_message(const struct signed_request *req, uint64_t until, uint8_t **ret,
                        size_t *ret_size)
{
    const size_t count = covered(req);
    size_t size = sizeof(LABEL) + 32 + 8 + strlen(req->method) + 1 + strlen(req->path) + 1 +
                  (count > 0 ? 1 : 0) + SHA256_SIZE;
    uint8_t *m;
    uint8_t *p;

    if (count > HTTP_QUERY_MAX) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count; i++) {
        size += strlen(req->query[i].name) + 1 + strlen(req->query[i].value) + 1;
    }
    m = malloc(size);
    if (m == NULL) {
        return -ENOMEM;
    }
    p = put(m, count > 0 ? LABEL_QUERY : LABEL, sizeof(LABEL));
    p = put(p, req->cas_key, 32);
    le64_store(p, until);
    p = put(p + 8, req->method, strlen(req->method) + 1);
    p = put(p, req->path, strlen(req->path) + 1);
    if (count > 0) {
        *p++ = (uint8_t)count;
    }
    for (size_t i = 0; i < count; i++) {
        p = put(p, req->query[i].name, strlen(req->query[i].name) + 1);
        p = put(p, req->query[i].value, strlen(req->query[i].value) + 1);
    }
    sha256(req->body, req->size, p);
    *ret = m;
    *ret_size = size;
    return 0;
}

/* ---- verifying ------------------------------------------------------------------------------ */

struct parts {
    uint64_t until;
    uint8_t key[VALUE_MAX];
    size_t key_size;
    uint8_t sig[VALUE_MAX];
    size_t sig_size;
};

static int split(const char *value, struct parts *ret)
{
    const char *first = strchr(value, ' ');
    const char *second = first != NULL ? strchr(first + 1, ' ') : NULL;
    char number[21];

    if (second == NULL || strlen(value) > VALUE_MAX || (size_t)(first - value) >= sizeof(number) ||
        first == value || strspn(value, "0123456789") != (size_t)(first - value)) {
        return -EINVAL;
    }
    memcpy(number, value, (size_t)(first - value));
    number[first - value] = '\0';
    ret->until = 0;
    for (const char *d = number; *d != '\0'; d++) {
        if (ret->until > (UINT64_MAX - 9) / 10) {
            return -EINVAL;
        }
        ret->until = ret->until * 10 + (uint64_t)(*d - '0');
    }
    return base64_decode(ret->key, first + 1, (size_t)(second - first - 1), &ret->key_size) == 0 &&
                   base64_decode(ret->sig, second + 1, strlen(second + 1), &ret->sig_size) == 0
               ? 0
               : -EINVAL;
}

static int check_signature(EVP_PKEY *key, const struct parts *parts, const uint8_t *message,
                           size_t size)
{
    _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int r = -ENOMEM;

    if (ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key) == 1) {
        r = EVP_DigestVerify(ctx, parts->sig, parts->sig_size, message, size) == 1 ? 0
                                                                                   : -EKEYREJECTED;
    }
    ERR_clear_error();
    return r;
}

/* The names policies have for the key. The bytes are hashed as they came: they are the key's one
 * DER form, which is checked. */
static int name_key(const EVP_PKEY *key, const struct parts *parts, struct pol_signer ret[static 2],
                    size_t *ret_count)
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);
    const bool same =
        len > 0 && (size_t)len == parts->key_size && ct_equal(der, parts->key, parts->key_size);
    size_t raw = sizeof(ret[1].id.b);

    OPENSSL_free(der);
    if (!same) {
        return -EINVAL;
    }
    ret[0] = (struct pol_signer){.version = KEY_ID_VERSION_KEY};
    sha256(parts->key, parts->key_size, ret[0].id.b);
    *ret_count = 1;
    ret[1] = (struct pol_signer){.version = KEY_ID_VERSION_SIGNER};
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
        EVP_PKEY_get_raw_public_key(key, ret[1].id.b, &raw) == 1 && raw == sizeof(ret[1].id.b)) {
        *ret_count = 2;
    }
    return 0;
}

int signature_verify(const struct signed_request *req, const char *value, int64_t now,
                     struct pol_signer ret[static 2], size_t *ret_count, struct error **err)
{
    _cleanup_free_ struct parts *parts = calloc(1, sizeof(*parts));
    _cleanup_free_ uint8_t *message = NULL;
    _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
    const unsigned char *p;
    size_t size;
    int r;

    if (parts == NULL) {
        return error_set_errno(err, ENOMEM, "checking a signature");
    }
    if (split(value, parts) < 0) {
        return error_set(err, EINVAL, SIGNATURE_HEADER " wants UNTIL KEY SIGNATURE");
    }
    if (now < 0 || parts->until < (uint64_t)now ||
        parts->until > (uint64_t)(now + SIGNATURE_LIFE_MAX)) {
        return error_set(err, EKEYEXPIRED,
                         "a signature has expired, or is to hold for more than 31 days");
    }
    p = parts->key;
    key = d2i_PUBKEY(NULL, &p, (long)parts->key_size);
    ERR_clear_error();
    if (key == NULL || !key_is_strong(key) || name_key(key, parts, ret, ret_count) < 0) {
        return error_set(err, EINVAL, "the key of a signature is none, or too weak");
    }
    r = make_message(req, parts->until, &message, &size);
    if (r == 0) {
        r = check_signature(key, parts, message, size);
    }
    if (r == -EKEYREJECTED) {
        return error_set(err, EKEYREJECTED,
                         "a signature is not over this request to this CAS: sign it again");
    }
    return r < 0 ? error_set_errno(err, -r, "checking a signature") : 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static int sign(EVP_PKEY *key, const uint8_t *message, size_t size, uint8_t **ret, size_t *ret_size)
{
    _cleanup_(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    _cleanup_free_ uint8_t *sig = NULL;
    size_t len = 0;

    if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, digest_of(key), NULL, key) != 1 ||
        EVP_DigestSign(ctx, NULL, &len, message, size) != 1) {
        return -EIO;
    }
    sig = malloc(len);
    if (sig == NULL || EVP_DigestSign(ctx, sig, &len, message, size) != 1) {
        return -EIO;
    }
    *ret = TAKE_PTR(sig);
    *ret_size = len;
    return 0;
}

static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    return 0;
}

static EVP_PKEY *read_key(const char *pem, size_t size)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)MIN(size, (size_t)INT32_MAX));
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    return key;
}

int signature_make(const struct signed_request *req, const char *pem, size_t size, int64_t until,
                   char **ret, struct error **err)
{
    _cleanup_(pkey_freep) EVP_PKEY *key = read_key(pem, size);
    _cleanup_free_ uint8_t *message = NULL;
    _cleanup_free_ uint8_t *sig = NULL;
    _cleanup_free_ char *key_text = NULL;
    _cleanup_free_ char *sig_text = NULL;
    unsigned char *der = NULL;
    size_t message_size;
    size_t sig_size;
    int len;
    int r;

    if (key == NULL || !key_is_strong(key)) {
        return error_set(
            err, EINVAL,
            "that holds no private key that may sign: PEM without passphrase; Ed25519, "
            "P-256 or larger, RSA from 2048 to 4096 bits");
    }
    r = make_message(req, (uint64_t)until, &message, &message_size);
    if (r == 0) {
        r = sign(key, message, message_size, &sig, &sig_size);
    }
    len = r == 0 ? i2d_PUBKEY(key, &der) : -1;
    if (len > 0) {
        key_text = calloc(1, BASE64_SIZE((size_t)len) + 1);
        sig_text = calloc(1, BASE64_SIZE(sig_size) + 1);
    }
    if (key_text != NULL && sig_text != NULL) {
        base64_encode(key_text, der, (size_t)len);
        base64_encode(sig_text, sig, sig_size);
        len = asprintf(ret, "%lld %s %s", (long long)until, key_text, sig_text);
    } else {
        len = -1;
    }
    OPENSSL_free(der);
    ERR_clear_error();
    return len < 0 ? error_set(err, EIO, "OpenSSL cannot sign") : 0;
}
