/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Why not OpenSSL's X509: its parser accepts BER, its verification has a clock, a store and dozens
 * of switches of its own, and decoding one key costs more than verifying with it. DCAP uses one
 * curve, one hash and a handful of extensions; this file accepts exactly those. A test compares
 * what is read here with what OpenSSL reads from the same certificates.
 */

#include "attest/x509_internal.h"

#include <string.h>

#include "attest/der_internal.h"
#include "attest/reason_internal.h"

/* 1.2.840.10045.4.3.2 ecdsa-with-SHA256; RFC 5758 3.2: parameters absent. */
static const uint8_t oid_ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
/* 1.2.840.10045.2.1 id-ecPublicKey, 1.2.840.10045.3.1.7 secp256r1. */
static const uint8_t oid_ec_key[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
static const uint8_t oid_p256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
/* 1.2.840.113741.1.13.1: Intel's SGX extension of PCK certificates. */
static const uint8_t oid_sgx[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
static const uint8_t oid_subject_key_id[] = {0x55, 0x1d, 0x0e};
static const uint8_t oid_key_usage[] = {0x55, 0x1d, 0x0f};
static const uint8_t oid_basic_constraints[] = {0x55, 0x1d, 0x13};
static const uint8_t oid_authority_key_id[] = {0x55, 0x1d, 0x23};
static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};

#define OID_IS(c, oid) der_equal((c), (oid), sizeof(oid))

static int check_signature_algorithm(struct cursor *c)
{
    struct cursor alg;
    struct cursor oid;

    if (der_enter(c, DER_SEQUENCE, &alg) != 0 || der_oid(&alg, &oid) != 0 ||
        !OID_IS(&oid, oid_ecdsa_sha256)) {
        return -EBADMSG;
    }
    return cursor_done(&alg);
}

/* BIT STRING { SEQUENCE { r, s } } */
static int read_signature(struct cursor *c, uint8_t ret[static P256_SIG_SIZE])
{
    struct cursor bits;
    struct cursor pair;

    if (der_bits(c, &bits) != 0 || der_enter(&bits, DER_SEQUENCE, &pair) != 0 ||
        cursor_done(&bits) != 0 || der_scalar(&pair, ret) != 0 ||
        der_scalar(&pair, ret + 32) != 0) {
        return -EBADMSG;
    }
    return cursor_done(&pair);
}

static int read_public_key(struct cursor *c, uint8_t ret[static P256_KEY_SIZE])
{
    struct cursor spki;
    struct cursor alg;
    struct cursor oid;
    struct cursor curve;
    struct cursor point;

    if (der_enter(c, DER_SEQUENCE, &spki) != 0 || der_enter(&spki, DER_SEQUENCE, &alg) != 0 ||
        der_oid(&alg, &oid) != 0 || !OID_IS(&oid, oid_ec_key) || der_oid(&alg, &curve) != 0 ||
        !OID_IS(&curve, oid_p256) || cursor_done(&alg) != 0 || der_bits(&spki, &point) != 0 ||
        cursor_done(&spki) != 0 || point.left != 1 + P256_KEY_SIZE || point.p[0] != 0x04) {
        return -EBADMSG;
    }
    memcpy(ret, point.p + 1, P256_KEY_SIZE);
    return 0;
}

/* AttributeTypeAndValue: an OID and a string of printable ASCII. */
static int read_attribute(struct cursor *set, struct cursor *ret_oid, struct cursor *ret_value)
{
    struct cursor pair;
    uint8_t tag;

    if (der_enter(set, DER_SEQUENCE, &pair) != 0 || der_oid(&pair, ret_oid) != 0 ||
        der_any(&pair, &tag, ret_value, NULL) != 0 || cursor_done(&pair) != 0 ||
        (tag != DER_UTF8_STRING && tag != DER_PRINTABLE && tag != DER_IA5_STRING)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < ret_value->left; i++) {
        if (ret_value->p[i] < 0x20 || ret_value->p[i] > 0x7e) {
            return -EBADMSG;
        }
    }
    return 0;
}

/* Name ::= SEQUENCE OF SET OF AttributeTypeAndValue */
static int read_name(struct cursor *c, struct cursor *ret)
{
    struct cursor whole;
    struct cursor sets;
    uint8_t tag;

    if (der_any(c, &tag, &sets, &whole) != 0 || tag != DER_SEQUENCE || sets.left == 0) {
        return -EBADMSG;
    }
    while (sets.left != 0) {
        struct cursor set;

        if (der_enter(&sets, DER_SET, &set) != 0 || set.left == 0) {
            return -EBADMSG;
        }
        while (set.left != 0) {
            struct cursor oid;
            struct cursor value;

            if (read_attribute(&set, &oid, &value) != 0) {
                return -EBADMSG;
            }
        }
    }
    *ret = whole;
    return 0;
}

/* --- extensions --- */

enum {
    SEEN_SKI = 1 << 0,
    SEEN_AKI = 1 << 1,
    SEEN_KEY_USAGE = 1 << 2,
    SEEN_BASIC = 1 << 3,
    SEEN_SGX = 1 << 4,
};

static int once(unsigned *seen, unsigned bit)
{
    if ((*seen & bit) != 0) {
        return -EBADMSG;
    }
    *seen |= bit;
    return 0;
}

static int read_key_usage(struct cursor value, uint8_t *ret)
{
    struct cursor body;

    if (der_enter(&value, DER_BIT_STRING, &body) != 0 || cursor_done(&value) != 0 ||
        body.left < 2 || body.left > 3 || body.p[0] > 7) {
        return -EBADMSG;
    }
    *ret = body.p[1];
    return 0;
}

static int read_basic_constraints(struct cursor value, struct x509_cert *cert)
{
    struct cursor body;

    if (der_enter(&value, DER_SEQUENCE, &body) != 0 || cursor_done(&value) != 0) {
        return -EBADMSG;
    }
    if (der_peek(&body, DER_BOOLEAN) && der_bool(&body, &cert->is_ca) != 0) {
        return -EBADMSG;
    }
    if (der_peek(&body, DER_INTEGER)) {
        if (!cert->is_ca || der_u32(&body, DER_INTEGER, &cert->path_length) != 0) {
            return -EBADMSG;
        }
        cert->has_path_length = true;
    }
    return cursor_done(&body);
}

static int read_subject_key_id(struct cursor value, struct cursor *ret)
{
    if (der_enter(&value, DER_OCTET_STRING, ret) != 0 || ret->left == 0) {
        return -EBADMSG;
    }
    return cursor_done(&value);
}

/* keyIdentifier is [0]; the issuer-and-serial form that may follow says nothing we use. */
static int read_authority_key_id(struct cursor value, struct cursor *ret)
{
    struct cursor body;
    uint8_t tag;
    struct cursor skipped;

    if (der_enter(&value, DER_SEQUENCE, &body) != 0 || cursor_done(&value) != 0) {
        return -EBADMSG;
    }
    if (der_peek(&body, DER_CONTEXT_P(0)) &&
        (der_enter(&body, DER_CONTEXT_P(0), ret) != 0 || ret->left == 0)) {
        return -EBADMSG;
    }
    while (body.left != 0) {
        if (der_any(&body, &tag, &skipped, NULL) != 0) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int read_extension(struct cursor *list, struct cursor *ret_oid, bool *ret_critical,
                          struct cursor *ret_value)
{
    struct cursor ext;

    *ret_critical = false;
    if (der_enter(list, DER_SEQUENCE, &ext) != 0 || der_oid(&ext, ret_oid) != 0) {
        return -EBADMSG;
    }
    /* DER omits the default: an explicit FALSE is not DER. */
    if (der_peek(&ext, DER_BOOLEAN) && (der_bool(&ext, ret_critical) != 0 || !*ret_critical)) {
        return -EBADMSG;
    }
    if (der_enter(&ext, DER_OCTET_STRING, ret_value) != 0) {
        return -EBADMSG;
    }
    return cursor_done(&ext);
}

static int apply_cert_extension(struct x509_cert *cert, unsigned *seen, const struct cursor *oid,
                                bool critical, struct cursor value)
{
    if (OID_IS(oid, oid_subject_key_id)) {
        return once(seen, SEEN_SKI) ?: read_subject_key_id(value, &cert->subject_key_id);
    }
    if (OID_IS(oid, oid_authority_key_id)) {
        return once(seen, SEEN_AKI) ?: read_authority_key_id(value, &cert->authority_key_id);
    }
    if (OID_IS(oid, oid_key_usage)) {
        return once(seen, SEEN_KEY_USAGE) ?: read_key_usage(value, &cert->key_usage);
    }
    if (OID_IS(oid, oid_basic_constraints)) {
        return once(seen, SEEN_BASIC) ?: read_basic_constraints(value, cert);
    }
    if (OID_IS(oid, oid_sgx)) {
        cert->sgx_extension = value;
        return once(seen, SEEN_SGX);
    }
    return critical ? -EBADMSG : 0;
}

static int read_cert_extensions(struct cursor *tbs, struct x509_cert *cert)
{
    struct cursor outer;
    struct cursor list;
    unsigned seen = 0;

    if (der_enter(tbs, DER_CONTEXT(3), &outer) != 0 ||
        der_enter(&outer, DER_SEQUENCE, &list) != 0 || cursor_done(&outer) != 0) {
        return -EBADMSG;
    }
    while (list.left != 0) {
        struct cursor oid;
        struct cursor value;
        bool critical;

        if (read_extension(&list, &oid, &critical, &value) != 0 ||
            apply_cert_extension(cert, &seen, &oid, critical, value) != 0) {
            return -EBADMSG;
        }
    }
    /* Without these two nothing says what the key may be used for. */
    return (seen & SEEN_KEY_USAGE) != 0 && (seen & SEEN_BASIC) != 0 ? 0 : -EBADMSG;
}

/* --- certificates --- */

static int read_validity(struct cursor *tbs, struct x509_cert *cert)
{
    struct cursor validity;

    if (der_enter(tbs, DER_SEQUENCE, &validity) != 0 ||
        der_time(&validity, &cert->not_before) != 0 || der_time(&validity, &cert->not_after) != 0) {
        return -EBADMSG;
    }
    return cursor_done(&validity);
}

static int read_tbs(struct cursor tbs, struct x509_cert *cert, const char **ret_field)
{
    struct cursor version;
    uint32_t v;

    *ret_field = "version (must be v3)";
    if (der_enter(&tbs, DER_CONTEXT(0), &version) != 0 || der_u32(&version, DER_INTEGER, &v) != 0 ||
        cursor_done(&version) != 0 || v != 2) {
        return -EBADMSG;
    }
    *ret_field = "serial number";
    if (der_positive(&tbs, &cert->serial) != 0 || cert->serial.left > 21) {
        return -EBADMSG;
    }
    *ret_field = "signature algorithm (must be ECDSA with SHA-256)";
    if (check_signature_algorithm(&tbs) != 0) {
        return -EBADMSG;
    }
    *ret_field = "issuer";
    if (read_name(&tbs, &cert->issuer) != 0) {
        return -EBADMSG;
    }
    *ret_field = "validity";
    if (read_validity(&tbs, cert) != 0) {
        return -EBADMSG;
    }
    *ret_field = "subject";
    if (read_name(&tbs, &cert->subject) != 0) {
        return -EBADMSG;
    }
    *ret_field = "public key (must be P-256, uncompressed)";
    if (read_public_key(&tbs, cert->key) != 0) {
        return -EBADMSG;
    }
    *ret_field = "extensions";
    if (read_cert_extensions(&tbs, cert) != 0) {
        return -EBADMSG;
    }
    return cursor_done(&tbs);
}

int x509_cert_parse(struct cursor whole, struct x509_cert *ret, struct att_reason *why)
{
    struct x509_cert cert = {.whole = whole};
    struct cursor at = whole;
    struct cursor body;
    struct cursor tbs_body;
    const char *field = "structure";
    uint8_t tag;

    if (der_enter(&at, DER_SEQUENCE, &body) != 0 || cursor_done(&at) != 0 ||
        der_any(&body, &tag, &tbs_body, &cert.tbs) != 0 || tag != DER_SEQUENCE ||
        check_signature_algorithm(&body) != 0 || read_signature(&body, cert.signature) != 0 ||
        cursor_done(&body) != 0 || read_tbs(tbs_body, &cert, &field) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "certificate: %s", field);
    }
    *ret = cert;
    return 0;
}

void x509_common_name(const struct x509_cert *cert, char *dst, size_t cap)
{
    struct cursor at = cert->subject;
    struct cursor sets;

    dst[0] = '\0';
    if (der_enter(&at, DER_SEQUENCE, &sets) != 0) {
        return;
    }
    while (sets.left != 0) {
        struct cursor set;
        struct cursor oid;
        struct cursor value;

        if (der_enter(&sets, DER_SET, &set) != 0 || read_attribute(&set, &oid, &value) != 0) {
            return;
        }
        if (OID_IS(&oid, oid_common_name) && value.left < cap) {
            memcpy(dst, value.p, value.left);
            dst[value.left] = '\0';
            return;
        }
    }
}

/* Both sides name the key, or one of them does not care (RFC 5280 4.2.1.1). */
static bool key_ids_agree(const struct cursor *authority, const struct cursor *subject)
{
    return authority->left == 0 || subject->left == 0 || cursor_equal(authority, subject);
}

int x509_check_issued(const struct x509_cert *cert, const struct x509_cert *issuer,
                      const struct p256_key *issuer_key, const char *what, struct att_reason *why)
{
    int r;

    if (!cursor_equal(&cert->issuer, &issuer->subject) ||
        !key_ids_agree(&cert->authority_key_id, &issuer->subject_key_id)) {
        return att_refuse(why, ATT_CHAIN_BROKEN, "%s: issuer name or key id differ", what);
    }
    if (!issuer->is_ca || (issuer->key_usage & X509_KU_CERT_SIGN) == 0) {
        return att_refuse(why, ATT_CHAIN_BROKEN, "%s: its issuer may not sign certificates", what);
    }
    r = p256_verify(issuer_key, cert->tbs.p, cert->tbs.left, cert->signature);
    if (r == -ENOMEM) {
        return att_refuse(why, ATT_INTERNAL, "%s", what);
    }
    if (r != 0) {
        return att_refuse(why, ATT_CHAIN_BROKEN, "%s: signature", what);
    }
    return 0;
}

int x509_check_time(const struct x509_cert *cert, int64_t time, const char *what,
                    struct att_reason *why)
{
    char when[32];
    char limit[32];

    att_time_format(time, when);
    if (time < cert->not_before) {
        att_time_format(cert->not_before, limit);
        return att_refuse(why, ATT_CERT_NOT_YET_VALID, "%s: valid from %s, evaluated at %s", what,
                          limit, when);
    }
    if (time > cert->not_after) {
        att_time_format(cert->not_after, limit);
        return att_refuse(why, ATT_CERT_EXPIRED, "%s: valid until %s, evaluated at %s", what, limit,
                          when);
    }
    return 0;
}

/* --- revocation lists --- */

static int check_crl_entry(struct cursor *list)
{
    struct cursor entry;
    struct cursor serial;
    struct cursor extensions;
    int64_t when;

    if (der_enter(list, DER_SEQUENCE, &entry) != 0 || der_positive(&entry, &serial) != 0 ||
        der_time(&entry, &when) != 0) {
        return -EBADMSG;
    }
    if (entry.left == 0) {
        return 0;
    }
    if (der_enter(&entry, DER_SEQUENCE, &extensions) != 0 || extensions.left == 0) {
        return -EBADMSG;
    }
    while (extensions.left != 0) {
        struct cursor oid;
        struct cursor value;
        bool critical;

        /* A critical one (certificateIssuer) would change what the entry means. */
        if (read_extension(&extensions, &oid, &critical, &value) != 0 || critical) {
            return -EBADMSG;
        }
    }
    return cursor_done(&entry);
}

static int read_crl_extensions(struct cursor *tbs, struct x509_crl *crl)
{
    struct cursor outer;
    struct cursor list;
    unsigned seen = 0;

    if (der_enter(tbs, DER_CONTEXT(0), &outer) != 0 ||
        der_enter(&outer, DER_SEQUENCE, &list) != 0 || cursor_done(&outer) != 0) {
        return -EBADMSG;
    }
    while (list.left != 0) {
        struct cursor oid;
        struct cursor value;
        bool critical;

        /* Critical ones (delta lists, distribution points) narrow the list: refused. */
        if (read_extension(&list, &oid, &critical, &value) != 0 || critical) {
            return -EBADMSG;
        }
        if (OID_IS(&oid, oid_authority_key_id) &&
            (once(&seen, SEEN_AKI) != 0 ||
             read_authority_key_id(value, &crl->authority_key_id) != 0)) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int read_crl_tbs(struct cursor tbs, struct x509_crl *crl, const char **ret_field)
{
    uint32_t version;

    *ret_field = "version (must be v2)";
    if (der_u32(&tbs, DER_INTEGER, &version) != 0 || version != 1) {
        return -EBADMSG;
    }
    *ret_field = "signature algorithm (must be ECDSA with SHA-256)";
    if (check_signature_algorithm(&tbs) != 0) {
        return -EBADMSG;
    }
    *ret_field = "issuer";
    if (read_name(&tbs, &crl->issuer) != 0) {
        return -EBADMSG;
    }
    *ret_field = "thisUpdate or nextUpdate (both are needed)";
    if (der_time(&tbs, &crl->this_update) != 0 || der_time(&tbs, &crl->next_update) != 0) {
        return -EBADMSG;
    }
    *ret_field = "revoked certificates";
    if (der_peek(&tbs, DER_SEQUENCE)) {
        struct cursor list;

        if (der_enter(&tbs, DER_SEQUENCE, &crl->revoked) != 0 || crl->revoked.left == 0) {
            return -EBADMSG;
        }
        list = crl->revoked;
        while (list.left != 0) {
            if (check_crl_entry(&list) != 0) {
                return -EBADMSG;
            }
        }
    }
    *ret_field = "extensions";
    if (read_crl_extensions(&tbs, crl) != 0) {
        return -EBADMSG;
    }
    return cursor_done(&tbs);
}

int x509_crl_parse(struct cursor whole, const char *what, struct x509_crl *ret,
                   struct att_reason *why)
{
    struct x509_crl crl = {0};
    struct cursor body;
    struct cursor tbs_body;
    const char *field = "structure";
    uint8_t tag;

    if (der_enter(&whole, DER_SEQUENCE, &body) != 0 || cursor_done(&whole) != 0 ||
        der_any(&body, &tag, &tbs_body, &crl.tbs) != 0 || tag != DER_SEQUENCE ||
        check_signature_algorithm(&body) != 0 || read_signature(&body, crl.signature) != 0 ||
        cursor_done(&body) != 0 || read_crl_tbs(tbs_body, &crl, &field) != 0) {
        return att_refuse(why, ATT_CRL_MALFORMED, "%s: %s", what, field);
    }
    *ret = crl;
    return 0;
}

int x509_crl_check_issued(const struct x509_crl *crl, const struct x509_cert *issuer,
                          const struct p256_key *issuer_key, const char *what,
                          struct att_reason *why)
{
    int r;

    if (!cursor_equal(&crl->issuer, &issuer->subject) ||
        !key_ids_agree(&crl->authority_key_id, &issuer->subject_key_id)) {
        return att_refuse(why, ATT_CRL_WRONG_ISSUER, "%s", what);
    }
    if (!issuer->is_ca || (issuer->key_usage & X509_KU_CRL_SIGN) == 0) {
        return att_refuse(why, ATT_CRL_WRONG_ISSUER, "%s: its issuer may not sign revocation lists",
                          what);
    }
    r = p256_verify(issuer_key, crl->tbs.p, crl->tbs.left, crl->signature);
    if (r == -ENOMEM) {
        return att_refuse(why, ATT_INTERNAL, "%s", what);
    }
    return r == 0 ? 0 : att_refuse(why, ATT_CRL_SIGNATURE, "%s", what);
}

int x509_crl_check_time(const struct x509_crl *crl, int64_t time, const char *what,
                        struct att_reason *why)
{
    char when[32];
    char limit[32];

    att_time_format(time, when);
    if (time < crl->this_update) {
        att_time_format(crl->this_update, limit);
        return att_refuse(why, ATT_CRL_NOT_YET_VALID, "%s: issued %s, evaluated at %s", what, limit,
                          when);
    }
    if (time > crl->next_update) {
        att_time_format(crl->next_update, limit);
        return att_refuse(why, ATT_CRL_EXPIRED, "%s: next update was due %s, evaluated at %s", what,
                          limit, when);
    }
    return 0;
}

bool x509_crl_has(const struct x509_crl *crl, const struct cursor *serial)
{
    struct cursor list = crl->revoked;

    while (list.left != 0) {
        struct cursor entry;
        struct cursor found;

        /* The parser walked the same bytes: a failure here cannot happen, and counts as a hit. */
        if (der_enter(&list, DER_SEQUENCE, &entry) != 0 || der_positive(&entry, &found) != 0 ||
            cursor_equal(&found, serial)) {
            return true;
        }
    }
    return false;
}
