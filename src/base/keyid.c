/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/keyid.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "core/sha256.h"

static void bio_freep(BIO **b)
{
    BIO_free(*b);
}
static void x509_freep(X509 **c)
{
    X509_free(*c);
}
static void pkey_freep(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static int from_key(EVP_PKEY *key, struct keyid *ret)
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);
    size_t raw = sizeof(ret->ed25519);

    if (len <= 0) {
        return -EINVAL;
    }
    *ret = (struct keyid){0};
    sha256(der, (size_t)len, ret->spki_hash);
    OPENSSL_free(der);
    if (EVP_PKEY_get_id(key) == EVP_PKEY_ED25519) {
        ret->is_ed25519 = EVP_PKEY_get_raw_public_key(key, ret->ed25519, &raw) == 1;
    }
    return 0;
}

/* True when nothing but white space is left. */
static bool at_end(BIO *b)
{
    char c;

    while (BIO_read(b, &c, 1) == 1) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            return false;
        }
    }
    return true;
}

/* PEM readers skip text before the block; here the block must come first. */
static BIO *open_pem(const char *pem, size_t size)
{
    while (size > 0 && (*pem == ' ' || *pem == '\t' || *pem == '\r' || *pem == '\n')) {
        pem++;
        size--;
    }
    if (size < 5 || size > KEYID_PEM_MAX || memcmp(pem, "-----", 5) != 0) {
        return NULL;
    }
    return BIO_new_mem_buf(pem, (int)size);
}

int keyid_from_certificate_pem(const char *pem, size_t size, struct keyid *ret)
{
    _cleanup_(bio_freep) BIO *b = open_pem(pem, size);
    _cleanup_(x509_freep) X509 *cert = NULL;
    EVP_PKEY *key;

    if (b == NULL) {
        return -EINVAL;
    }
    cert = PEM_read_bio_X509(b, NULL, NULL, NULL);
    key = cert != NULL ? X509_get0_pubkey(cert) : NULL;
    return key != NULL && at_end(b) ? from_key(key, ret) : -EINVAL;
}

int keyid_from_public_key_pem(const char *pem, size_t size, struct keyid *ret)
{
    _cleanup_(bio_freep) BIO *b = open_pem(pem, size);
    _cleanup_(pkey_freep) EVP_PKEY *key = NULL;

    if (b == NULL) {
        return -EINVAL;
    }
    key = PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
    return key != NULL && at_end(b) ? from_key(key, ret) : -EINVAL;
}
