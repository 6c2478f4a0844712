/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "softsgx/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

#define SERIAL_SIZE 20 /* RFC 5280 4.1.2.2: at most 20 octets */

static const char sgx_oid[] = "1.2.840.113741.1.13.1";

static int set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_SIZE];
    BIGNUM *bn;
    int ok = 0;

    if (crypto_random(bytes, sizeof(bytes)) < 0) {
        return -EIO;
    }
    bytes[0] = (bytes[0] & 0x3f) | 0x40; /* positive, and of the same length always */
    bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
    ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL;
    BN_free(bn);
    return ok ? 0 : -ENOMEM;
}

static int set_name(X509_NAME *name, const char *common_name)
{
    const unsigned char *cn = (const unsigned char *)common_name;

    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, cn, -1, -1, 0) == 1 &&
                   X509_NAME_add_entry_by_NID(name, NID_organizationName, MBSTRING_UTF8,
                                              (const unsigned char *)"nacre", -1, -1, 0) == 1
               ? 0
               : -ENOMEM;
}

static int add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    const int ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok ? 0 : -EIO;
}

static int add_sgx_extension(X509 *cert, const uint8_t *value, size_t size)
{
    ASN1_OBJECT *oid = OBJ_txt2obj(sgx_oid, /*no_name=*/1);
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;
    int r = -ENOMEM;

    if (oid != NULL && octets != NULL && ASN1_OCTET_STRING_set(octets, value, (int)size) == 1) {
        ext = X509_EXTENSION_create_by_OBJ(NULL, oid, /*crit=*/0, octets);
        r = ext != NULL && X509_add_ext(cert, ext, -1) == 1 ? 0 : -ENOMEM;
    }
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(octets);
    ASN1_OBJECT_free(oid);
    return r;
}

/* In Intel's order. */
static int add_extensions(X509 *cert, X509 *issuer, const struct pki_request *q)
{
    static const struct {
        const char *key_usage;
        const char *constraints;
    } roles[] = {
        [PKI_ROOT] = {"critical,keyCertSign,cRLSign", "critical,CA:TRUE,pathlen:1"},
        [PKI_CA] = {"critical,keyCertSign,cRLSign", "critical,CA:TRUE,pathlen:0"},
        [PKI_SIGNER] = {"critical,digitalSignature,nonRepudiation", "critical,CA:FALSE"},
    };
    X509V3_CTX ctx;
    int r;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    r = add_extension(cert, &ctx, NID_subject_key_identifier, "hash");
    r = r < 0 ? r : add_extension(cert, &ctx, NID_authority_key_identifier, "keyid:always");
    r = r < 0 ? r : add_extension(cert, &ctx, NID_key_usage, roles[q->role].key_usage);
    r = r < 0 ? r : add_extension(cert, &ctx, NID_basic_constraints, roles[q->role].constraints);
    if (r == 0 && q->sgx_extension != NULL) {
        r = add_sgx_extension(cert, q->sgx_extension, q->sgx_extension_size);
    }
    return r;
}

int pki_issue(const struct pki_request *q, X509 **ret)
{
    _cleanup_cert_ X509 *cert = X509_new();
    X509 *issuer = q->issuer != NULL ? q->issuer : cert;
    int r = -ENOMEM;

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) == 0 &&
        set_name(X509_get_subject_name(cert), q->common_name) == 0 &&
        X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(cert), q->not_before) != NULL &&
        ASN1_TIME_set(X509_getm_notAfter(cert), q->not_after) != NULL &&
        X509_set_pubkey(cert, q->key) == 1) {
        r = add_extensions(cert, issuer, q);
    }
    if (r == 0 &&
        X509_sign(cert, q->issuer_key != NULL ? q->issuer_key : q->key, EVP_sha256()) <= 0) {
        r = -EIO;
    }
    ERR_clear_error();
    if (r == 0) {
        *ret = TAKE_PTR(cert);
    }
    return r;
}

static int add_crl_extensions(X509_CRL *crl, X509 *issuer)
{
    X509V3_CTX ctx;
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509_EXTENSION *aki;
    int ok;

    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);
    ok = number != NULL && ASN1_INTEGER_set(number, 1) == 1 &&
         X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(number);
    aki = ok ? X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always") : NULL;
    ok = aki != NULL && X509_CRL_add_ext(crl, aki, -1) == 1;
    X509_EXTENSION_free(aki);
    return ok ? 0 : -EIO;
}

int pki_empty_crl(X509 *issuer, EVP_PKEY *issuer_key, time_t this_update, time_t next_update,
                  uint8_t **ret, size_t *ret_size)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, this_update);
    ASN1_TIME *until = ASN1_TIME_set(NULL, next_update);
    unsigned char *der = NULL;
    uint8_t *copy;
    int n = -1;

    if (crl != NULL && from != NULL && until != NULL &&
        X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
        X509_CRL_set1_lastUpdate(crl, from) == 1 && X509_CRL_set1_nextUpdate(crl, until) == 1 &&
        add_crl_extensions(crl, issuer) == 0 && X509_CRL_sign(crl, issuer_key, EVP_sha256()) > 0) {
        n = i2d_X509_CRL(crl, &der);
    }
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ERR_clear_error();
    if (n <= 0) {
        return -EIO;
    }
    copy = malloc((size_t)n);
    if (copy != NULL) {
        memcpy(copy, der, (size_t)n);
    }
    OPENSSL_free(der);
    if (copy == NULL) {
        return -ENOMEM;
    }
    *ret = copy;
    *ret_size = (size_t)n;
    return 0;
}

static int time_of(const ASN1_TIME *t, time_t *ret)
{
    struct tm tm;
    time_t v;

    if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1) {
        return -EBADMSG;
    }
    v = timegm(&tm);
    if (v < 0) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

int pki_crl_next_update(const uint8_t *der, size_t size, time_t *ret)
{
    const unsigned char *p = der;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)size);
    int r = crl != NULL ? time_of(X509_CRL_get0_nextUpdate(crl), ret) : -EBADMSG;

    X509_CRL_free(crl);
    ERR_clear_error();
    return r;
}

int pki_cert_not_after(const X509 *cert, time_t *ret)
{
    return time_of(X509_get0_notAfter(cert), ret);
}

int pki_cert_to_pem(X509 *cert, char **ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *copy = NULL;
    long size = 0;

    if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1) {
        size = BIO_get_mem_data(bio, &data);
        copy = size > 0 ? strndup(data, (size_t)size) : NULL;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (copy == NULL) {
        return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

int pki_cert_from_pem(const char *pem, size_t size, X509 **ret)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)size);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error();
    if (cert == NULL) {
        return -EBADMSG;
    }
    *ret = cert;
    return 0;
}

/* --- the SGX extension, written from its end to its beginning: lengths are then known --- */

struct der_out {
    uint8_t *start;
    uint8_t *p; /* the first byte written so far */
};

static void put_bytes(struct der_out *o, const void *data, size_t size)
{
    o->p -= size;
    memcpy(o->p, data, size);
}

static void put_header(struct der_out *o, uint8_t tag, size_t size)
{
    const uint8_t head[] = {tag, 0x82, (uint8_t)(size >> 8), (uint8_t)size};

    if (size < 0x80) {
        put_bytes(o, (const uint8_t[]){tag, (uint8_t)size}, 2);
    } else if (size < 0x100) {
        put_bytes(o, (const uint8_t[]){tag, 0x81, (uint8_t)size}, 3);
    } else {
        put_bytes(o, head, sizeof(head));
    }
}

/* Closes what was written since `end` as one element. */
static void wrap(struct der_out *o, uint8_t tag, const uint8_t *end)
{
    put_header(o, tag, (size_t)(end - o->p));
}

/* SEQUENCE { OID 1.2.840.113741.1.13.1[.a[.b]], <value already written since end> } */
static void wrap_field(struct der_out *o, uint8_t a, uint8_t b, const uint8_t *end)
{
    static const uint8_t arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    const size_t size = sizeof(arc) + 1 + (b != 0);

    if (b != 0) {
        put_bytes(o, &b, 1);
    }
    put_bytes(o, &a, 1);
    put_bytes(o, arc, sizeof(arc));
    put_header(o, 0x06, size);
    wrap(o, 0x30, end);
}

static void put_octets(struct der_out *o, uint8_t a, uint8_t b, const void *data, size_t size)
{
    const uint8_t *end = o->p;

    put_bytes(o, data, size);
    put_header(o, 0x04, size);
    wrap_field(o, a, b, end);
}

static void put_integer(struct der_out *o, uint8_t tag, uint8_t a, uint8_t b, uint16_t v)
{
    const uint8_t *end = o->p;

    do {
        put_bytes(o, &(const uint8_t){(uint8_t)v}, 1);
        v >>= 8;
    } while (v != 0);
    if ((*o->p & 0x80) != 0) {
        put_bytes(o, &(const uint8_t){0}, 1);
    }
    wrap(o, tag, end);
    wrap_field(o, a, b, end);
}

size_t pki_sgx_extension(const struct pki_sgx_platform *p,
                         uint8_t ret[static PKI_SGX_EXTENSION_MAX])
{
    uint8_t buf[PKI_SGX_EXTENSION_MAX];
    struct der_out o = {.start = buf, .p = buf + sizeof(buf)};
    const uint8_t *end = o.p;
    const uint8_t *tcb_end;
    size_t size;

    put_integer(&o, 0x0a, 5, 0, 0); /* SGX type: standard */
    put_octets(&o, 4, 0, p->fmspc, sizeof(p->fmspc));
    put_octets(&o, 3, 0, p->pce_id, sizeof(p->pce_id));
    tcb_end = o.p;
    put_octets(&o, 2, 18, p->cpu_svn, sizeof(p->cpu_svn));
    put_integer(&o, 0x02, 2, 17, p->pce_svn);
    for (uint8_t i = 16; i > 0; i--) {
        put_integer(&o, 0x02, 2, i, p->components[i - 1]);
    }
    wrap(&o, 0x30, tcb_end);
    wrap_field(&o, 2, 0, tcb_end);
    put_octets(&o, 1, 0, p->ppid, sizeof(p->ppid));
    wrap(&o, 0x30, end);
    size = (size_t)(end - o.p);
    memcpy(ret, o.p, size);
    return size;
}
