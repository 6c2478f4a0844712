/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/ca.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "core/ct.h"

#define PEM_SIZE_MAX ((size_t)64 * 1024)

#define DEFINE_CLEANUP(type, name, release) \
    static void name(type **p)              \
    {                                       \
        release(*p);                        \
    }

DEFINE_CLEANUP(X509, x509_freep, X509_free)
DEFINE_CLEANUP(BIO, bio_freep, BIO_free_all)
DEFINE_CLEANUP(PKCS12, pkcs12_freep, PKCS12_free)
DEFINE_CLEANUP(PKCS8_PRIV_KEY_INFO, p8_freep, PKCS8_PRIV_KEY_INFO_free)
DEFINE_CLEANUP(X509_EXTENSION, extension_freep, X509_EXTENSION_free)

static void stack_freep(STACK_OF(X509) * *s)
{
    sk_X509_pop_free(*s, X509_free);
}

void cas_bytes_clear(struct cas_bytes *b)
{
    if (b->p != NULL) {
        ct_wipe(b->p, b->size);
        free(b->p);
    }
    *b = (struct cas_bytes){0};
}

int cas_bytes_copy(const void *p, size_t size, struct cas_bytes *ret)
{
    uint8_t *copy = malloc(size + 1);

    if (copy == NULL) {
        return -ENOMEM;
    }
    if (size > 0) {
        memcpy(copy, p, size);
    }
    copy[size] = '\0';
    *ret = (struct cas_bytes){.p = copy, .size = size};
    return 0;
}

/* Takes what an i2d function allocated. By address: the i2d call may stand in the next argument. */
static int take_der(unsigned char **der, int len, struct cas_bytes *ret)
{
    int r;

    if (len <= 0) {
        return -EIO;
    }
    r = cas_bytes_copy(*der, (size_t)len, ret);
    OPENSSL_clear_free(*der, (size_t)len);
    return r;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static int key_to_der(EVP_PKEY *key, struct cas_bytes *ret)
{
    _cleanup_(p8_freep) PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;

    return p8 != NULL ? take_der(&der, i2d_PKCS8_PRIV_KEY_INFO(p8, &der), ret) : -EIO;
}

static EVP_PKEY *key_from_der(const struct cas_bytes *der)
{
    const unsigned char *p = der->p;
    _cleanup_(p8_freep) PKCS8_PRIV_KEY_INFO *p8 =
        d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der->size);

    return p8 != NULL && p == der->p + der->size ? EVP_PKCS82PKEY(p8) : NULL;
}

int ca_key_generate(enum key_type type, struct cas_bytes *ret, struct error **err)
{
    _cleanup_key_ EVP_PKEY *key = NULL;
    int r;

    switch (type) {
    case KEY_TYPE_P256: key = EVP_EC_gen("P-256"); break;
    case KEY_TYPE_P384: key = EVP_EC_gen("P-384"); break;
    case KEY_TYPE_ED25519: key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); break;
    case KEY_TYPE_RSA2048: key = EVP_RSA_gen(2048); break;
    case KEY_TYPE_RSA3072: key = EVP_RSA_gen(3072); break;
    case KEY_TYPE_RSA4096: key = EVP_RSA_gen(4096); break;
    }
    if (key == NULL) {
        return error_set(err, EIO, "OpenSSL cannot make a key");
    }
    r = key_to_der(key, ret);
    return r < 0 ? error_set_errno(err, -r, "encoding a key") : 0;
}

static bool key_acceptable(const EVP_PKEY *key)
{
    char group[32] = "";
    const int bits = EVP_PKEY_get_bits(key);

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return true;
    case EVP_PKEY_RSA: return bits >= 2048 && bits <= 4096;
    case EVP_PKEY_EC:
        return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
               (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0);
    default: return false;
    }
}

static int check_acceptable(const EVP_PKEY *key, struct error **err)
{
    if (!key_acceptable(key)) {
        return error_set(err, EINVAL,
                         "keys must be P-256, P-384, Ed25519 or RSA of 2048 to 4096 "
                         "bits");
    }
    return 0;
}

int ca_key_from_pem(const char *pem, size_t size, struct cas_bytes *ret, struct error **err)
{
    _cleanup_key_ EVP_PKEY *key = NULL;
    int r = crypto_pem_read_private(pem, size, "the value", NULL, &key, err);

    if (r == 0) {
        r = check_acceptable(key, err);
    }
    if (r < 0) {
        return r;
    }
    r = key_to_der(key, ret);
    return r < 0 ? error_set_errno(err, -r, "encoding a key") : 0;
}

static int public_to_der(EVP_PKEY *key, struct cas_bytes *ret, struct error **err)
{
    unsigned char *der = NULL;
    int r = key != NULL ? take_der(&der, i2d_PUBKEY(key, &der), ret) : -EINVAL;

    return r < 0 ? error_set_errno(err, -r, "encoding a public key") : 0;
}

int ca_public_from_key(const struct cas_bytes *key_der, struct cas_bytes *ret, struct error **err)
{
    _cleanup_key_ EVP_PKEY *key = key_from_der(key_der);

    return public_to_der(key, ret, err);
}

int ca_public_from_pem(const char *pem, size_t size, struct cas_bytes *ret, struct error **err)
{
    _cleanup_key_ EVP_PKEY *key = NULL;
    int r = crypto_pem_read_public(pem, size, "the value", &key, err);

    if (r == 0) {
        r = check_acceptable(key, err);
    }
    return r == 0 ? public_to_der(key, ret, err) : r;
}

/* ---- certificates: reading ------------------------------------------------------------------ */

static X509 *cert_from_der(const struct cas_bytes *der)
{
    const unsigned char *p = der->p;
    X509 *cert = d2i_X509(NULL, &p, (long)der->size);

    if (cert != NULL && p != der->p + der->size) {
        X509_free(cert);
        cert = NULL;
    }
    return cert;
}

static int cert_to_der(X509 *cert, struct cas_bytes *ret)
{
    unsigned char *der = NULL;

    return take_der(&der, i2d_X509(cert, &der), ret);
}

int ca_certificate_from_pem(const char *pem, size_t size, struct cas_bytes *ret, struct error **err)
{
    _cleanup_(bio_freep) BIO *bio = size <= PEM_SIZE_MAX ? BIO_new_mem_buf(pem, (int)size) : NULL;
    _cleanup_(x509_freep) X509 *cert = NULL;
    _cleanup_(x509_freep) X509 *more = NULL;
    int r;

    if (bio != NULL) {
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        more = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    }
    if (cert == NULL || more != NULL) {
        return error_set(err, EINVAL, "the value is not exactly one certificate in PEM");
    }
    r = check_acceptable(X509_get0_pubkey(cert), err);
    if (r < 0) {
        return r;
    }
    r = cert_to_der(cert, ret);
    return r < 0 ? error_set_errno(err, -r, "encoding a certificate") : 0;
}

static int asn1_to_unix(const ASN1_TIME *t, int64_t *ret)
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return -EBADMSG;
    }
    *ret = timegm(&tm);
    return 0;
}

int ca_validity(const struct cas_bytes *der, int64_t *ret_not_before, int64_t *ret_not_after)
{
    _cleanup_(x509_freep) X509 *cert = cert_from_der(der);
    int r = cert != NULL ? asn1_to_unix(X509_get0_notBefore(cert), ret_not_before) : -EBADMSG;

    return r == 0 ? asn1_to_unix(X509_get0_notAfter(cert), ret_not_after) : r;
}

bool ca_key_matches(const struct cas_bytes *cert_der, const struct cas_bytes *key_der)
{
    _cleanup_(x509_freep) X509 *cert = cert_from_der(cert_der);
    _cleanup_key_ EVP_PKEY *key = key_from_der(key_der);

    return cert != NULL && key != NULL && X509_check_private_key(cert, key) == 1;
}

bool ca_signed_by(const struct cas_bytes *cert_der, const struct cas_bytes *issuer_der)
{
    _cleanup_(x509_freep) X509 *cert = cert_from_der(cert_der);
    _cleanup_(x509_freep) X509 *issuer = cert_from_der(issuer_der);

    return cert != NULL && issuer != NULL && X509_check_issued(issuer, cert) == X509_V_OK &&
           X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
}

bool ca_self_signed(const struct cas_bytes *der)
{
    _cleanup_(x509_freep) X509 *cert = cert_from_der(der);

    /* X509_check_issued would ask for the right to sign certificates, which leaves do not have. */
    return cert != NULL &&
           X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0 &&
           X509_verify(cert, X509_get0_pubkey(cert)) == 1;
}

/* ---- certificates: issuing ------------------------------------------------------------------ */

static int set_serial(X509 *cert)
{
    unsigned char raw[20];
    BIGNUM *n = NULL;
    int ok;

    if (RAND_bytes(raw, sizeof(raw)) != 1) {
        return -EIO;
    }
    raw[0] = (unsigned char)((raw[0] & 0x7f) | 0x40); /* positive, always 20 bytes */
    n = BN_bin2bn(raw, sizeof(raw), NULL);
    ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok ? 0 : -EIO;
}

static int add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    _cleanup_(extension_freep) X509_EXTENSION *e = NULL;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    return e != NULL && X509_add_ext(cert, e, -1) == 1 ? 0 : -EIO;
}

/* The names come out of the policy parser: host-name characters and canonical addresses, so the
 * list below cannot be broken out of. */
static int add_names(X509 *cert, const struct ca_request *req)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    const size_t count = req->dns->count + req->ip->count;
    FILE *f;
    bool first = true;

    if (count == 0) {
        return 0;
    }
    f = open_memstream(&text, &size);
    if (f == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < req->dns->count; i++, first = false) {
        fprintf(f, "%sDNS:%s", first ? "" : ",", req->dns->items[i]);
    }
    for (size_t i = 0; i < req->ip->count; i++, first = false) {
        fprintf(f, "%sIP:%s", first ? "" : ",", req->ip->items[i]);
    }
    if (fclose(f) != 0) {
        return -ENOMEM;
    }
    return add_extension(cert, NULL, NID_subject_alt_name, text);
}

static int add_extensions(X509 *cert, X509 *issuer, const struct ca_request *req)
{
    static const char *const usage[] = {
        [ENDPOINT_SERVER] = "serverAuth",
        [ENDPOINT_CLIENT] = "clientAuth",
        [ENDPOINT_ANY] = "serverAuth,clientAuth",
    };
    int r = add_extension(cert, issuer, NID_basic_constraints,
                          req->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");

    if (r == 0) {
        r = add_extension(cert, issuer, NID_key_usage,
                          req->is_ca ? "critical,keyCertSign,cRLSign"
                                     : "critical,digitalSignature");
    }
    if (r == 0 && !req->is_ca) {
        r = add_extension(cert, issuer, NID_ext_key_usage, usage[req->endpoint]);
    }
    if (r == 0) {
        r = add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    }
    if (r == 0) {
        r = add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always");
    }
    return r == 0 && !req->is_ca ? add_names(cert, req) : r;
}

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_ED25519: return NULL; /* hashes by itself */
    case EVP_PKEY_EC: return EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256();
    default: return EVP_sha256();
    }
}

static int set_head(X509 *cert, X509 *issuer, EVP_PKEY *key, const struct ca_request *req)
{
    X509_NAME *name = X509_get_subject_name(cert);
    int64_t not_after = req->not_after;
    int64_t limit;

    if (issuer != cert && asn1_to_unix(X509_get0_notAfter(issuer), &limit) == 0) {
        not_after = MIN(not_after, limit);
    }
    if (not_after <= req->not_before) {
        return -EKEYEXPIRED;
    }
    if (X509_set_version(cert, X509_VERSION_3) != 1 || set_serial(cert) < 0 ||
        X509_set_pubkey(cert, key) != 1 ||
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                   (const unsigned char *)req->common_name, -1, -1, 0) != 1 ||
        X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
        ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)req->not_before) == NULL ||
        ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after) == NULL) {
        return -EIO;
    }
    return 0;
}

int ca_issue(const struct ca_request *req, struct cas_bytes *ret, struct error **err)
{
    const bool self = req->issuer_cert == NULL;
    _cleanup_key_ EVP_PKEY *key = key_from_der(req->key);
    _cleanup_key_ EVP_PKEY *issuer_key = self ? NULL : key_from_der(req->issuer_key);
    _cleanup_(x509_freep) X509 *issuer = self ? NULL : cert_from_der(req->issuer_cert);
    _cleanup_(x509_freep) X509 *cert = X509_new();
    EVP_PKEY *signer = self ? key : issuer_key;
    int r;

    if (cert == NULL || key == NULL || signer == NULL || (!self && issuer == NULL)) {
        return error_set(err, EINVAL, "a key or certificate cannot be read");
    }
    if (!self && X509_check_ca(issuer) != 1) {
        return error_set(err, EINVAL, "the issuer's certificate is not a CA");
    }
    if (!self && X509_check_private_key(issuer, issuer_key) != 1) {
        return error_set(err, EINVAL, "the issuer's key is not the key of its certificate");
    }
    r = set_head(cert, self ? cert : issuer, key, req);
    if (r == -EKEYEXPIRED) {
        return error_set(err, EKEYEXPIRED, "the issuer's certificate has expired");
    }
    if (r == 0) {
        r = add_extensions(cert, self ? cert : issuer, req);
    }
    if (r == 0 && X509_sign(cert, signer, digest_for(signer)) == 0) {
        r = -EIO;
    }
    if (r == 0) {
        r = cert_to_der(cert, ret);
    }
    return r < 0 ? error_set_errno(err, -r, "issuing a certificate for %s", req->common_name) : 0;
}

/* ---- output --------------------------------------------------------------------------------- */

int ca_pem_append(const char *label, const struct cas_bytes *der, struct cas_bytes *io)
{
    const size_t b64 = (der->size + 2) / 3 * 4;
    const size_t most = io->size + b64 + b64 / 64 + 2 * strlen(label) + 64;
    _cleanup_bytes_ struct cas_bytes out = {.p = malloc(most), .size = most};
    size_t at = io->size;

    if (out.p == NULL) {
        return -ENOMEM;
    }
    if (io->size > 0) {
        memcpy(out.p, io->p, io->size);
    }
    at += (size_t)snprintf((char *)out.p + at, most - at, "-----BEGIN %s-----\n", label);
    for (size_t i = 0; i < der->size; i += 48) {
        const size_t take = MIN(der->size - i, (size_t)48);

        at += (size_t)EVP_EncodeBlock(out.p + at, der->p + i, (int)take);
        out.p[at++] = '\n';
    }
    at += (size_t)snprintf((char *)out.p + at, most - at, "-----END %s-----\n", label);
    cas_bytes_clear(io);
    return cas_bytes_copy(out.p, at, io);
}

int ca_pkcs12(const struct cas_bytes *cert_der, const struct cas_bytes *key_der,
              const struct cas_bytes *chain, size_t chain_count, struct cas_bytes *ret,
              struct error **err)
{
    _cleanup_(x509_freep) X509 *cert = cert_from_der(cert_der);
    _cleanup_key_ EVP_PKEY *key = key_from_der(key_der);
    _cleanup_(stack_freep) STACK_OF(X509) *stack = sk_X509_new_null();
    _cleanup_(pkcs12_freep) PKCS12 *p12 = NULL;
    unsigned char *der = NULL;
    int r = cert != NULL && key != NULL && stack != NULL ? 0 : -EINVAL;

    for (size_t i = 0; i < chain_count && r == 0; i++) {
        X509 *c = cert_from_der(&chain[i]);

        r = c != NULL && sk_X509_push(stack, c) > 0 ? 0 : -EINVAL;
    }
    if (r == 0) {
        p12 = PKCS12_create("", NULL, key, cert, stack, 0, 0, 0, 0, 0);
        r = p12 != NULL ? take_der(&der, i2d_PKCS12(p12, &der), ret) : -EIO;
    }
    return r < 0 ? error_set_errno(err, -r, "making a PKCS#12 file") : 0;
}
