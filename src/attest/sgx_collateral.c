/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/collateral_internal.h"
#include "attest/json_internal.h"
#include "attest/reason_internal.h"
#include "core/ct.h"

/* The key of "Intel SGX Root CA" (certificates of 2018 until 2033 and until 2049). */
const struct att_root att_root_intel = {
    .root_class = ATT_ROOT_HARDWARE,
    .name = "Intel SGX Root CA",
    .key =
        {
            0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0,
            0x2c, 0xda, 0x10, 0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61,
            0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5, 0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4,
            0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac, 0xc9, 0x88, 0xe5, 0x05,
            0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
        },
};

static const char *const signer_names[] = {"Intel SGX TCB Signing", NULL};

int att_root_from_cert(const void *data, size_t size, enum att_root_class root_class,
                       const char *name, struct att_root *ret, struct att_reason *why)
{
    static const char what[] = "trusted root";
    _cleanup_(x509_chain_done) struct x509_chain chain = {0};
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    struct att_root root = {.root_class = root_class};
    struct x509_cert der_cert;
    const struct x509_cert *cert;
    int r;

    if (size != 0 && *(const uint8_t *)data == '-') {
        r = x509_chain_parse(data, size, what, &chain, why);
        if (r == 0 && chain.count != 1) {
            r = att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: expected one certificate", what);
        }
        cert = &chain.certs[0];
    } else {
        r = x509_cert_parse(cursor_make(data, size), &der_cert, why);
        cert = &der_cert;
    }
    if (r != 0) {
        return r;
    }
    if (p256_key_new(cert->key, &key) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "%s: public key", what);
    }
    r = x509_check_issued(cert, cert, key, what, why);
    if (r != 0) {
        return r;
    }
    memcpy(root.key, cert->key, sizeof(root.key));
    if (name != NULL) {
        (void)snprintf(root.name, sizeof(root.name), "%s", name);
    } else {
        x509_common_name(cert, root.name, sizeof(root.name));
    }
    *ret = root;
    return 0;
}

int collateral_check_name(const struct att_root *root, const struct x509_cert *cert,
                          const char *const *names, const char *what, struct att_reason *why)
{
    char name[64];

    if (root->root_class != ATT_ROOT_HARDWARE) {
        return 0;
    }
    x509_common_name(cert, name, sizeof(name));
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 0;
        }
    }
    return att_refuse(why, ATT_CHAIN_BROKEN, "%s: named \"%s\", expected \"%s\"", what, name,
                      names[0]);
}

int att_chain_root_key(const void *pem, size_t size, uint8_t ret_key[static 64],
                       struct att_reason *why)
{
    static const char what[] = "certificate chain";
    _cleanup_(x509_chain_done) struct x509_chain chain = {0};
    const struct x509_cert *root;
    int r = x509_chain_parse(pem, size, what, &chain, why);

    if (r == 0) {
        r = x509_chain_root(&chain, what, &root, why);
    }
    if (r == 0) {
        memcpy(ret_key, root->key, 64);
    }
    return r;
}

/* --- building --- */

static int find_trust(struct att_collateral *c, const struct att_root *roots, size_t root_count,
                      struct att_reason *why)
{
    char name[64];

    for (size_t i = 0; i < root_count; i++) {
        if (ct_equal(roots[i].key, c->root->key, sizeof(roots[i].key))) {
            c->trust = roots[i];
            return 0;
        }
    }
    x509_common_name(c->root, name, sizeof(name));
    return att_refuse(why, ATT_ROOT_UNTRUSTED, "TCB signing chain ends in \"%s\"", name);
}

static int load_signing_chain(struct att_collateral *c, const struct att_blob *pem,
                              const struct att_root *roots, size_t root_count,
                              struct att_reason *why)
{
    static const char what[] = "TCB signing chain";
    int r = x509_chain_parse(pem->data, pem->size, what, &c->signing_chain, why);

    if (r != 0) {
        return r;
    }
    if (c->signing_chain.count != 2) {
        return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: %zu certificates, expected 2", what,
                          c->signing_chain.count);
    }
    r = x509_chain_root(&c->signing_chain, what, &c->root, why);
    if (r != 0) {
        return r;
    }
    c->signer = &c->signing_chain.certs[c->root == &c->signing_chain.certs[0] ? 1 : 0];
    r = find_trust(c, roots, root_count, why);
    if (r != 0) {
        return r;
    }
    if (p256_key_new(c->root->key, &c->root_key) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "%s: the root's public key", what);
    }
    r = x509_check_issued(c->root, c->root, c->root_key, "root certificate", why);
    if (r == 0) {
        r = x509_check_issued(c->signer, c->root, c->root_key, "TCB signing certificate", why);
    }
    if (r == 0) {
        r = collateral_check_name(&c->trust, c->signer, signer_names, "TCB signing certificate",
                                  why);
    }
    if (r == 0 && (c->signer->is_ca || c->signer->sgx_extension.left != 0 ||
                   (c->signer->key_usage & X509_KU_DIGITAL_SIGNATURE) == 0)) {
        r = att_refuse(why, ATT_CHAIN_BROKEN, "TCB signing certificate: not one for signing TCB");
    }
    return r;
}

static int check_crl_size(size_t size, const char *what, struct att_reason *why)
{
    return size != 0 && size <= ATT_CRL_MAX
               ? 0
               : att_refuse(why, ATT_CRL_MALFORMED, "%s: %zu bytes", what, size);
}

static int load_crls(struct att_collateral *c, const struct att_collateral_input *in,
                     struct att_reason *why)
{
    size_t root_size = in->root_ca_crl.size;
    size_t pck_size = in->pck_crl.size;
    int r = check_crl_size(root_size, "root CA CRL", why);

    if (r == 0) {
        r = check_crl_size(pck_size, "PCK CRL", why);
    }
    if (r != 0) {
        return r;
    }
    c->crl_bytes = malloc(root_size + pck_size);
    if (c->crl_bytes == NULL) {
        return att_refuse(why, ATT_INTERNAL, "revocation lists");
    }
    memcpy(c->crl_bytes, in->root_ca_crl.data, root_size);
    memcpy(c->crl_bytes + root_size, in->pck_crl.data, pck_size);
    r = x509_crl_parse(cursor_make(c->crl_bytes, root_size), "root CA CRL", &c->root_crl, why);
    if (r == 0) {
        r = x509_crl_parse(cursor_make(c->crl_bytes + root_size, pck_size), "PCK CRL", &c->pck_crl,
                           why);
    }
    if (r == 0) {
        r = x509_crl_check_issued(&c->root_crl, c->root, c->root_key, "root CA CRL", why);
    }
    if (r == 0 && x509_crl_has(&c->root_crl, &c->signer->serial)) {
        r = att_refuse(why, ATT_CERT_REVOKED, "TCB signing certificate");
    }
    return r;
}

/* Splits one signed document and checks its signature. Copies nothing. */
static int open_signed(const struct att_blob *blob, const char *member,
                       const struct p256_key *signer, enum att_code malformed,
                       enum att_code bad_signature, struct cursor *ret_inner,
                       struct att_reason *why)
{
    uint8_t signature[P256_SIG_SIZE];
    int r;

    if (blob->size == 0 || blob->size > ATT_JSON_MAX) {
        return att_refuse(why, malformed, "%s: %zu bytes", member, blob->size);
    }
    if (tcb_split_signed(cursor_make(blob->data, blob->size), member, ret_inner, signature) != 0) {
        return att_refuse(why, malformed, "expected {\"%s\":{…},\"signature\":\"…\"}", member);
    }
    r = p256_verify(signer, ret_inner->p, ret_inner->left, signature);
    if (r == -ENOMEM) {
        return att_refuse(why, ATT_INTERNAL, "%s", member);
    }
    return r == 0 ? 0 : att_refuse(why, bad_signature, "%s", member);
}

static int load_documents(struct att_collateral *c, const struct att_collateral_input *in,
                          struct att_reason *why)
{
    _cleanup_(p256_key_freep) struct p256_key *signer = NULL;
    struct cursor inner;
    int r;

    if (p256_key_new(c->signer->key, &signer) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "TCB signing certificate: public key");
    }
    r = open_signed(&in->tcb_info, "tcbInfo", signer, ATT_TCB_INFO_MALFORMED,
                    ATT_TCB_INFO_SIGNATURE, &inner, why);
    if (r == 0) {
        r = tcb_info_parse(inner, &c->tcb, why);
    }
    if (r == 0) {
        r = open_signed(&in->qe_identity, "enclaveIdentity", signer, ATT_QE_IDENTITY_MALFORMED,
                        ATT_QE_IDENTITY_SIGNATURE, &inner, why);
    }
    if (r == 0) {
        r = qe_identity_parse(inner, &c->qe, why);
    }
    if (r == 0 && c->tcb.tdx != c->qe.tdx) {
        r = att_refuse(why, ATT_TEE_MISMATCH, "TCB info is for %s, QE identity for %s",
                       c->tcb.tdx ? "TDX" : "SGX", c->qe.tdx ? "TDX" : "SGX");
    }
    return r;
}

static int copy_pck_chain(struct att_collateral *c, const struct att_blob *pem,
                          struct att_reason *why)
{
    if (pem->size == 0) {
        return 0;
    }
    if (pem->size > ATT_CHAIN_MAX) {
        return att_refuse(why, ATT_PEM_MALFORMED, "PCK chain: %zu bytes", pem->size);
    }
    c->pck_chain = malloc(pem->size);
    if (c->pck_chain == NULL) {
        return att_refuse(why, ATT_INTERNAL, "PCK chain");
    }
    memcpy(c->pck_chain, pem->data, pem->size);
    c->pck_chain_size = pem->size;
    return 0;
}

int att_collateral_new(const struct att_collateral_input *input, const struct att_root *roots,
                       size_t root_count, struct att_collateral **ret, struct att_reason *why)
{
    _cleanup_(att_collateral_freep) struct att_collateral *c = calloc(1, sizeof(*c));
    int r;

    if (c == NULL) {
        return att_refuse(why, ATT_INTERNAL, "collateral");
    }
    r = load_signing_chain(c, &input->tcb_signing_chain, roots, root_count, why);
    if (r == 0) {
        r = load_crls(c, input, why);
    }
    if (r == 0) {
        r = load_documents(c, input, why);
    }
    if (r == 0) {
        r = copy_pck_chain(c, &input->pck_chain, why);
    }
    if (r == 0) {
        *ret = TAKE_PTR(c);
    }
    return r;
}

struct known_issuer *known_issuer_free(struct known_issuer *k)
{
    if (k != NULL) {
        p256_key_freep(&k->key);
        free(k->der);
        free(k);
    }
    return NULL;
}

struct att_collateral *att_collateral_free(struct att_collateral *c)
{
    if (c == NULL) {
        return NULL;
    }
    known_issuer_free(atomic_load(&c->issuer));
    tcb_info_done(&c->tcb);
    qe_identity_done(&c->qe);
    x509_chain_done(&c->signing_chain);
    p256_key_freep(&c->root_key);
    free(c->crl_bytes);
    free(c->pck_chain);
    free(c);
    return NULL;
}

/* --- asking --- */

int collateral_check_root(const struct att_collateral *c, const struct x509_cert *root,
                          struct att_reason *why)
{
    if (!ct_equal(root->key, c->root->key, sizeof(root->key))) {
        char name[64];

        x509_common_name(root, name, sizeof(name));
        return att_refuse(why, ATT_ROOTS_DIFFER, "PCK chain ends in \"%s\" with another key", name);
    }
    /* Usually it is the very certificate of the signing chain, which was checked. */
    if (cursor_equal(&root->whole, &c->root->whole)) {
        return 0;
    }
    return x509_check_issued(root, root, c->root_key, "root certificate of the PCK chain", why);
}

static int check_period(int64_t from, int64_t until, int64_t time, const char *what,
                        enum att_code too_early, enum att_code too_late, struct att_reason *why)
{
    char when[32];
    char limit[32];

    att_time_format(time, when);
    if (time < from) {
        att_time_format(from, limit);
        return att_refuse(why, too_early, "%s: issued %s, evaluated at %s", what, limit, when);
    }
    if (time > until) {
        att_time_format(until, limit);
        return att_refuse(why, too_late, "%s: next update was due %s, evaluated at %s", what, limit,
                          when);
    }
    return 0;
}

int collateral_check_time(const struct att_collateral *c, int64_t time, struct att_reason *why)
{
    int r = x509_check_time(c->root, time, "root certificate", why);

    if (r == 0) {
        r = x509_check_time(c->signer, time, "TCB signing certificate", why);
    }
    if (r == 0) {
        r = x509_crl_check_time(&c->root_crl, time, "root CA CRL", why);
    }
    if (r == 0) {
        r = x509_crl_check_time(&c->pck_crl, time, "PCK CRL", why);
    }
    if (r == 0) {
        r = check_period(c->tcb.issue_date, c->tcb.next_update, time, "TCB info",
                         ATT_TCB_INFO_NOT_YET_VALID, ATT_TCB_INFO_EXPIRED, why);
    }
    if (r == 0) {
        r = check_period(c->qe.issue_date, c->qe.next_update, time, "QE identity",
                         ATT_QE_IDENTITY_NOT_YET_VALID, ATT_QE_IDENTITY_EXPIRED, why);
    }
    return r;
}

void collateral_window(const struct att_collateral *c, int64_t *ret_from, int64_t *ret_until)
{
    const int64_t from[] = {c->root->not_before,    c->signer->not_before, c->root_crl.this_update,
                            c->pck_crl.this_update, c->tcb.issue_date,     c->qe.issue_date};
    const int64_t until[] = {c->root->not_after,     c->signer->not_after, c->root_crl.next_update,
                             c->pck_crl.next_update, c->tcb.next_update,   c->qe.next_update};

    *ret_from = from[0];
    *ret_until = until[0];
    for (size_t i = 1; i < ARRAY_COUNT(from); i++) {
        *ret_from = MAX(*ret_from, from[i]);
        *ret_until = MIN(*ret_until, until[i]);
    }
}

void att_collateral_info(const struct att_collateral *c, struct att_collateral_info *ret)
{
    collateral_window(c, &ret->valid_from, &ret->valid_until);
    ret->issued_at = MIN(c->tcb.issue_date, c->qe.issue_date);
    memcpy(ret->fmspc, c->tcb.fmspc, sizeof(ret->fmspc));
    ret->tdx = c->tcb.tdx;
    ret->tcb_evaluation_number = c->tcb.evaluation_number;
    ret->root_class = c->trust.root_class;
    ret->root_name = c->trust.name;
    ret->root_key = c->trust.key;
}
