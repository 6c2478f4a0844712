/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/crypto.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/ct.h"

#define PEM_BLOCKS_MAX 16
#define PEM_NAME_SIZE  40

/* What OWASP advises for PBKDF2-HMAC-SHA256; about 0.2 s. */
#define PEM_PBKDF2_ROUNDS 600000

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}
#define _cleanup_bio_ _cleanup_(bio_freep)

/* What the blocks of a PEM text are, learnt before any of them is decoded. */
struct pem_shape {
    size_t count;
    size_t private_count;
    size_t parameter_count; /* "EC PARAMETERS": openssl ecparam -genkey puts them first */
    char first[PEM_NAME_SIZE];
    bool encrypted;
};

static bool is_private_name(const char *name)
{
    const size_t len = strlen(name);
    static const char tail[] = "PRIVATE KEY";

    return len >= sizeof(tail) - 1 && strcmp(name + len - (sizeof(tail) - 1), tail) == 0;
}

static int read_shape(const void *pem, size_t size, struct pem_shape *ret)
{
    _cleanup_bio_ BIO *bio = BIO_new_mem_buf(pem, (int)size);
    struct pem_shape shape = {0};
    bool broken = false;

    if (bio == NULL) {
        return -ENOMEM;
    }
    for (;;) {
        char *name = NULL;
        char *header = NULL;
        unsigned char *data = NULL;
        long data_size = 0;

        if (PEM_read_bio(bio, &name, &header, &data, &data_size) != 1) {
            broken = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
            break;
        }
        if (shape.count == 0 || (shape.parameter_count == shape.count && shape.count == 1)) {
            (void)snprintf(shape.first, sizeof(shape.first), "%s", name);
        }
        shape.count++;
        shape.parameter_count += strcmp(name, "EC PARAMETERS") == 0;
        shape.private_count += is_private_name(name);
        shape.encrypted |=
            strcmp(name, "ENCRYPTED PRIVATE KEY") == 0 || strstr(header, "ENCRYPTED") != NULL;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, data_size > 0 ? (size_t)data_size : 0);
        if (shape.count > PEM_BLOCKS_MAX) {
            broken = true;
            break;
        }
    }
    ERR_clear_error();
    *ret = shape;
    return broken ? -EINVAL : 0;
}

static int check_shape(const void *pem, size_t size, const char *name, struct pem_shape *ret,
                       struct error **err)
{
    int r;

    if (size > CRYPTO_PEM_MAX) {
        return error_set(err, EINVAL, "%s: %zu bytes are too many for a PEM key (at most %zu)",
                         name, size, CRYPTO_PEM_MAX);
    }
    r = read_shape(pem, size, ret);
    if (r == -ENOMEM) {
        return error_set_errno(err, ENOMEM, "reading %s", name);
    }
    if (r < 0) {
        return error_set(err, EINVAL, "%s: a PEM block is broken (bad base64, header or end line)",
                         name);
    }
    if (ret->count == 0) {
        return error_set(err, EINVAL,
                         "%s: no PEM block found; expected a key between "
                         "'-----BEGIN …-----' and '-----END …-----' lines",
                         name);
    }
    return 0;
}

struct passphrase {
    const char *text;
    bool asked;
    bool too_long;
};

static int give_passphrase(char *buf, int size, int rwflag, void *arg)
{
    struct passphrase *p = arg;
    size_t len;

    (void)rwflag;
    p->asked = true;
    if (p->text == NULL) {
        return -ENOKEY; /* any negative number is OpenSSL's "none" */
    }
    len = strlen(p->text);
    if (len > (size_t)size) {
        p->too_long = true;
        return -E2BIG;
    }
    memcpy(buf, p->text, len);
    return (int)len;
}

static int private_error(const char *name, const struct pem_shape *shape,
                         const struct passphrase *pass, struct error **err)
{
    if (pass->too_long) {
        return error_set(err, EINVAL, "the passphrase for %s is longer than %d bytes", name,
                         PEM_BUFSIZE);
    }
    if (shape->encrypted && pass->text == NULL) {
        return error_set(err, ENOKEY, "%s: the key is encrypted and no passphrase was given", name);
    }
    if (shape->encrypted) {
        return error_set(err, EKEYREJECTED,
                         "%s: the key does not decrypt; the passphrase is wrong or the file is "
                         "damaged",
                         name);
    }
    return error_set(err, EINVAL, "%s: the %s block does not hold a private key in it", name,
                     shape->first);
}

int crypto_pem_read_private(const void *pem, size_t size, const char *name, const char *passphrase,
                            struct evp_pkey_st **ret, struct error **err)
{
    struct passphrase pass = {.text = passphrase};
    _cleanup_bio_ BIO *bio = NULL;
    struct pem_shape shape;
    EVP_PKEY *key;
    int r = check_shape(pem, size, name, &shape, err);

    if (r < 0) {
        return r;
    }
    if (shape.private_count == 0) {
        return error_set(err, EINVAL, "%s: found a %s, wanted a private key", name, shape.first);
    }
    if (shape.private_count > 1) {
        return error_set(err, EINVAL, "%s: holds %zu private keys, wanted exactly one", name,
                         shape.private_count);
    }
    bio = BIO_new_mem_buf(pem, (int)size);
    if (bio == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", name);
    }
    key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &pass);
    ERR_clear_error();
    if (key == NULL) {
        return private_error(name, &shape, &pass, err);
    }
    *ret = key;
    return 0;
}

static EVP_PKEY *certificate_key(BIO *bio)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    EVP_PKEY *key = cert != NULL ? X509_get_pubkey(cert) : NULL;

    X509_free(cert);
    return key;
}

int crypto_pem_read_public(const void *pem, size_t size, const char *name, struct evp_pkey_st **ret,
                           struct error **err)
{
    _cleanup_bio_ BIO *bio = NULL;
    struct pem_shape shape;
    EVP_PKEY *key;
    int r = check_shape(pem, size, name, &shape, err);

    if (r < 0) {
        return r;
    }
    if (shape.count != 1) {
        return error_set(err, EINVAL, "%s: holds %zu PEM blocks, wanted exactly one public key",
                         name, shape.count);
    }
    if (shape.private_count != 0) {
        return error_set(err, EINVAL,
                         "%s: holds a private key, wanted only its public part ('openssl pkey -in "
                         "%s -pubout' prints it)",
                         name, name);
    }
    bio = BIO_new_mem_buf(pem, (int)size);
    if (bio == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", name);
    }
    key = strcmp(shape.first, "CERTIFICATE") == 0 ? certificate_key(bio)
                                                  : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    ERR_clear_error();
    if (key == NULL) {
        return error_set(err, EINVAL, "%s: the %s block does not hold a public key", name,
                         shape.first);
    }
    *ret = key;
    return 0;
}

/* Copies what a memory BIO holds into malloc'd memory and wipes the BIO's. */
static int take_bio(BIO *bio, char **ret_pem, size_t *ret_size)
{
    char *data = NULL;
    const long size = BIO_get_mem_data(bio, &data);
    char *copy;

    if (size <= 0) {
        return -EIO;
    }
    copy = malloc((size_t)size + 1);
    if (copy == NULL) {
        ct_wipe(data, (size_t)size);
        return -ENOMEM;
    }
    memcpy(copy, data, (size_t)size);
    copy[size] = '\0';
    ct_wipe(data, (size_t)size);
    *ret_pem = copy;
    *ret_size = (size_t)size;
    return 0;
}

/* PKCS#8 of the key, encrypted. OpenSSL's own writer stops at 2048 rounds of PBKDF2. */
static X509_SIG *encrypt_key(EVP_PKEY *key, const char *passphrase)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_SIG *sealed = NULL;

    if (plain != NULL) {
        sealed = PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase, (int)strlen(passphrase), NULL, 0,
                               PEM_PBKDF2_ROUNDS, plain);
    }
    PKCS8_PRIV_KEY_INFO_free(plain);
    return sealed;
}

int crypto_pem_write_private(struct evp_pkey_st *key, const char *passphrase, char **ret_pem,
                             size_t *ret_size)
{
    _cleanup_bio_ BIO *bio = BIO_new(BIO_s_secmem());
    X509_SIG *sealed;
    int ok;

    if (bio == NULL) {
        return -ENOMEM;
    }
    if (passphrase == NULL) {
        ok = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    } else if (strlen(passphrase) > PEM_BUFSIZE) {
        return -EINVAL; /* readers take no longer one */
    } else {
        sealed = encrypt_key(key, passphrase);
        ok = sealed != NULL && PEM_write_bio_PKCS8(bio, sealed);
        X509_SIG_free(sealed);
    }
    if (ok != 1) {
        ERR_clear_error();
        return -EIO;
    }
    return take_bio(bio, ret_pem, ret_size);
}

int crypto_pem_write_public(struct evp_pkey_st *key, char **ret_pem, size_t *ret_size)
{
    _cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());

    if (bio == NULL) {
        return -ENOMEM;
    }
    if (PEM_write_bio_PUBKEY(bio, key) != 1) {
        ERR_clear_error();
        return -EIO;
    }
    return take_bio(bio, ret_pem, ret_size);
}

void crypto_pem_wipe(char *pem, size_t size)
{
    if (pem != NULL) {
        ct_wipe(pem, size);
        free(pem);
    }
}
