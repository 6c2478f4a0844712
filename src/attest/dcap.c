/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * From untrusted bytes to an authenticated quote. The order: take the quote apart, prove the PCK
 * certificate (chain, times, revocation), prove the quoting enclave (report signed by the PCK key,
 * attestation key bound, identity), prove the quote (signed by the attestation key).
 */

#include "attest/dcap_internal.h"

#include <stdlib.h>
#include <string.h>

#include "attest/reason_internal.h"
#include "core/ct.h"
#include "core/hex.h"
#include "core/le.h"
#include "core/sha256.h"

struct pck_chain {
    struct x509_chain chain;
    const struct x509_cert *leaf;
    const struct x509_cert *issuer;
    const struct x509_cert *root;
};

static void pck_chain_done(struct pck_chain *c)
{
    x509_chain_done(&c->chain);
}

static const char *const leaf_names[] = {"Intel SGX PCK Certificate", NULL};
static const char *const issuer_names[] = {"Intel SGX PCK Platform CA",
                                           "Intel SGX PCK Processor CA", NULL};

/* Quotes of an old style name the platform instead of carrying its certificates. */
static bool names_platform(uint16_t cert_type)
{
    return cert_type >= QUOTE_CERT_PPID_CLEAR && cert_type <= QUOTE_CERT_PPID_RSA3072;
}

static int load_pck_chain(const struct quote *q, const struct att_collateral *c,
                          struct pck_chain *ret, struct att_reason *why)
{
    static const char what[] = "PCK chain";
    const void *pem = q->cert_data.p;
    size_t size = q->cert_data.left;
    int r;

    if (q->cert_type != QUOTE_CERT_PCK_CHAIN) {
        if (!names_platform(q->cert_type) || c->pck_chain == NULL) {
            return att_refuse(why, ATT_CERT_DATA_UNSUPPORTED, "certification data: type %u",
                              q->cert_type);
        }
        pem = c->pck_chain;
        size = c->pck_chain_size;
    }
    r = x509_chain_parse(pem, size, what, &ret->chain, why);
    if (r != 0) {
        return r;
    }
    if (ret->chain.count != 3) {
        return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: %zu certificates, expected 3", what,
                          ret->chain.count);
    }
    r = x509_chain_root(&ret->chain, what, &ret->root, why);
    if (r != 0) {
        return r;
    }
    /* In any order: the leaf is the one that is no CA. */
    for (size_t i = 0; i < ret->chain.count; i++) {
        const struct x509_cert *cert = &ret->chain.certs[i];

        if (cert == ret->root) {
            continue;
        }
        if (cert->is_ca) {
            ret->issuer = cert;
        } else {
            ret->leaf = cert;
        }
    }
    if (ret->leaf == NULL || ret->issuer == NULL) {
        return att_refuse(why, ATT_CHAIN_INCOMPLETE, "%s: needs leaf, issuer and root", what);
    }
    return 0;
}

/* --- the issuing CA, remembered once proven --- */

static int prove_issuer(const struct att_collateral *c, const struct x509_cert *issuer,
                        struct p256_key **ret_key, struct att_reason *why)
{
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    int r = x509_check_issued(issuer, c->root, c->root_key, "PCK issuer certificate", why);

    if (r == 0) {
        r = collateral_check_name(&c->trust, issuer, issuer_names, "PCK issuer certificate", why);
    }
    if (r != 0) {
        return r;
    }
    if (p256_key_new(issuer->key, &key) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "PCK issuer certificate: public key");
    }
    r = x509_crl_check_issued(&c->pck_crl, issuer, key, "PCK CRL", why);
    if (r == 0) {
        *ret_key = TAKE_PTR(key);
    }
    return r;
}

static void free_bytes(uint8_t **p)
{
    free(*p);
}

static struct known_issuer *known_issuer_new(const struct x509_cert *issuer, struct p256_key **key)
{
    _cleanup_(free_bytes) uint8_t *der = malloc(issuer->whole.left);
    struct known_issuer *k = calloc(1, sizeof(*k));

    if (der == NULL || k == NULL) {
        free(k);
        return NULL;
    }
    memcpy(der, issuer->whole.p, issuer->whole.left);
    k->cert.whole = cursor_make(der, issuer->whole.left);
    k->der = TAKE_PTR(der);
    k->key = TAKE_PTR(*key);
    return k;
}

/* Yields the issuer's key: the remembered one (then *owned stays NULL) or a fresh one. */
static int issuer_key(const struct att_collateral *c, const struct x509_cert *issuer,
                      struct p256_key **owned, const struct p256_key **ret_key,
                      struct att_reason *why)
{
    /* The memory of what was proven is no part of the collateral's value. */
    struct att_collateral *memo;
    struct known_issuer *known = atomic_load_explicit(&c->issuer, memory_order_acquire);
    struct known_issuer *none = NULL;
    struct known_issuer *fresh;
    int r;

    if (known != NULL && cursor_equal(&known->cert.whole, &issuer->whole)) {
        *ret_key = known->key;
        return 0;
    }
    r = prove_issuer(c, issuer, owned, why);
    if (r != 0) {
        return r;
    }
    *ret_key = *owned;
    fresh = known == NULL ? known_issuer_new(issuer, owned) : NULL;
    if (fresh == NULL) {
        return 0;
    }
    memcpy(&memo, &c, sizeof(memo));
    if (atomic_compare_exchange_strong(&memo->issuer, &none, fresh)) {
        *ret_key = fresh->key;
        return 0;
    }
    *owned = TAKE_PTR(fresh->key);
    known_issuer_free(fresh);
    return 0;
}

static int check_pck_chain(const struct pck_chain *p, const struct att_collateral *c, int64_t time,
                           struct att_reason *why)
{
    _cleanup_(p256_key_freep) struct p256_key *owned = NULL;
    const struct p256_key *key = NULL;
    int r = collateral_check_root(c, p->root, why);

    if (r == 0 && p->root->has_path_length && p->root->path_length == 0) {
        r = att_refuse(why, ATT_CHAIN_BROKEN,
                       "PCK issuer certificate: the root allows no CA below");
    }
    if (r == 0) {
        r = issuer_key(c, p->issuer, &owned, &key, why);
    }
    if (r == 0) {
        r = x509_check_issued(p->leaf, p->issuer, key, "PCK certificate", why);
    }
    if (r == 0) {
        r = collateral_check_name(&c->trust, p->leaf, leaf_names, "PCK certificate", why);
    }
    if (r == 0 && (p->leaf->key_usage & X509_KU_DIGITAL_SIGNATURE) == 0) {
        r = att_refuse(why, ATT_CHAIN_BROKEN, "PCK certificate: may not sign");
    }
    if (r == 0) {
        r = x509_check_time(p->root, time, "root certificate of the PCK chain", why);
    }
    if (r == 0) {
        r = x509_check_time(p->issuer, time, "PCK issuer certificate", why);
    }
    if (r == 0) {
        r = x509_check_time(p->leaf, time, "PCK certificate", why);
    }
    if (r == 0 && x509_crl_has(&c->root_crl, &p->issuer->serial)) {
        r = att_refuse(why, ATT_CERT_REVOKED, "PCK issuer certificate");
    }
    if (r == 0 && x509_crl_has(&c->pck_crl, &p->leaf->serial)) {
        r = att_refuse(why, ATT_CERT_REVOKED, "PCK certificate");
    }
    return r;
}

/* --- the platform --- */

static int prove_chain(const struct pck_chain *p, const struct att_root *trust, int64_t time,
                       struct att_reason *why)
{
    _cleanup_(p256_key_freep) struct p256_key *root_key = NULL;
    _cleanup_(p256_key_freep) struct p256_key *issuer_key = NULL;
    int r;

    if (!ct_equal(p->root->key, trust->key, sizeof(trust->key))) {
        return att_refuse(why, ATT_ROOT_UNTRUSTED, "PCK chain");
    }
    if (p256_key_new(p->root->key, &root_key) != 0 ||
        p256_key_new(p->issuer->key, &issuer_key) != 0) {
        return att_refuse(why, ATT_CERT_MALFORMED, "PCK chain: public key");
    }
    r = x509_check_issued(p->root, p->root, root_key, "root certificate", why);
    if (r == 0) {
        r = x509_check_issued(p->issuer, p->root, root_key, "PCK issuer certificate", why);
    }
    if (r == 0) {
        r = collateral_check_name(trust, p->issuer, issuer_names, "PCK issuer certificate", why);
    }
    if (r == 0) {
        r = x509_check_issued(p->leaf, p->issuer, issuer_key, "PCK certificate", why);
    }
    if (r == 0) {
        r = x509_check_time(p->issuer, time, "PCK issuer certificate", why);
    }
    return r == 0 ? x509_check_time(p->leaf, time, "PCK certificate", why) : r;
}

int att_evidence_platform(const void *evidence, size_t size, const struct att_root *root,
                          int64_t time, struct att_platform *ret, struct att_reason *why)
{
    static const struct att_collateral none = {0};
    _cleanup_(pck_chain_done) struct pck_chain chain = {0};
    struct quote q;
    struct pck pck;
    char name[64];
    int r = quote_parse(evidence, size, &q, why);

    if (r == 0) {
        r = load_pck_chain(&q, &none, &chain, why);
    }
    if (r == 0) {
        r = prove_chain(&chain, root, time, why);
    }
    if (r == 0) {
        r = pck_parse(chain.leaf, &pck, why);
    }
    if (r != 0) {
        return r;
    }
    x509_common_name(chain.issuer, name, sizeof(name));
    ret->tdx = q.kind != QUOTE_BODY_SGX;
    ret->ca = strcmp(name, issuer_names[0]) == 0 ? ATT_PCK_PLATFORM : ATT_PCK_PROCESSOR;
    memcpy(ret->fmspc, pck.fmspc, sizeof(ret->fmspc));
    return 0;
}

static int check_platform(const struct dcap *d, struct att_reason *why)
{
    const struct tcb_info *tcb = &d->collateral->tcb;
    const struct quote *q = &d->quote;
    char have[16];
    char want[16];

    if (tcb->tdx != (q->kind != QUOTE_BODY_SGX)) {
        return att_refuse(why, ATT_TEE_MISMATCH, "the quote is for %s, the collateral for %s",
                          tcb->tdx ? "SGX" : "TDX", tcb->tdx ? "TDX" : "SGX");
    }
    if (!ct_equal(tcb->fmspc, d->pck.fmspc, sizeof(tcb->fmspc))) {
        hex_encode(have, d->pck.fmspc, sizeof(d->pck.fmspc));
        hex_encode(want, tcb->fmspc, sizeof(tcb->fmspc));
        return att_refuse(why, ATT_FMSPC_MISMATCH, "PCK certificate %s, TCB info %s", have, want);
    }
    if (!ct_equal(tcb->pce_id, d->pck.pce_id, sizeof(tcb->pce_id))) {
        return att_refuse(why, ATT_PCE_ID_MISMATCH, "PCK certificate %02x%02x, TCB info %02x%02x",
                          d->pck.pce_id[0], d->pck.pce_id[1], tcb->pce_id[0], tcb->pce_id[1]);
    }
    if (q->cert_type == QUOTE_CERT_PPID_CLEAR &&
        (q->cert_data.left < sizeof(d->pck.ppid) ||
         !ct_equal(q->cert_data.p, d->pck.ppid, sizeof(d->pck.ppid)))) {
        return att_refuse(why, ATT_PPID_MISMATCH, "certification data");
    }
    return 0;
}

/* --- the quoting enclave --- */

static int check_qe_identity(const struct sgx_report_body *r, const struct qe_identity *id,
                             struct att_reason *why)
{
    const uint8_t *attributes = (const uint8_t *)&r->attributes;

    if ((r->miscselect & id->miscselect_mask) != id->miscselect) {
        return att_refuse(why, ATT_QE_IDENTITY_MISMATCH, "MISCSELECT");
    }
    for (size_t i = 0; i < sizeof(id->attributes); i++) {
        if ((attributes[i] & id->attributes_mask[i]) != id->attributes[i]) {
            return att_refuse(why, ATT_QE_IDENTITY_MISMATCH, "ATTRIBUTES, byte %zu", i);
        }
    }
    if (!ct_equal(r->mrsigner, id->mrsigner, sizeof(id->mrsigner))) {
        return att_refuse(why, ATT_QE_IDENTITY_MISMATCH, "MRSIGNER");
    }
    if (r->isv_prod_id != id->isv_prod_id) {
        return att_refuse(why, ATT_QE_IDENTITY_MISMATCH, "ISVPRODID %u, expected %u",
                          r->isv_prod_id, id->isv_prod_id);
    }
    return 0;
}

/* report_data = SHA-256(attestation key || authentication data) || zeros */
static int check_binding(const struct quote *q, struct att_reason *why)
{
    uint8_t digest[SHA256_SIZE];
    struct sha256 ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, q->att_key, sizeof(q->att_key));
    sha256_update(&ctx, q->auth_data.p, q->auth_data.left);
    sha256_final(&ctx, digest);
    if (!ct_equal(q->qe_report.report_data, digest, sizeof(digest))) {
        return att_refuse(why, ATT_QE_BINDING, "report data is not the hash of the key");
    }
    if (!ct_is_zero(q->qe_report.report_data + SHA256_SIZE, 32)) {
        return att_refuse(why, ATT_QE_BINDING, "report data: the second half is not zero");
    }
    return 0;
}

static int check_signed(const uint8_t key_bytes[static P256_KEY_SIZE], struct cursor data,
                        const uint8_t signature[static P256_SIG_SIZE], enum att_code code,
                        const char *what, struct att_reason *why)
{
    _cleanup_(p256_key_freep) struct p256_key *key = NULL;
    int r = p256_key_new(key_bytes, &key);

    if (r == 0) {
        r = p256_verify(key, data.p, data.left, signature);
    }
    if (r == -ENOMEM) {
        return att_refuse(why, ATT_INTERNAL, "%s", what);
    }
    return r == 0 ? 0 : att_refuse(why, code, "%s", what);
}

int dcap_authenticate(const uint8_t *evidence, size_t size, const struct att_collateral *c,
                      int64_t time, struct dcap *ret, struct att_reason *why)
{
    _cleanup_(pck_chain_done) struct pck_chain chain = {0};
    struct dcap d = {.collateral = c};
    int r = quote_parse(evidence, size, &d.quote, why);

    if (r == 0) {
        r = load_pck_chain(&d.quote, c, &chain, why);
    }
    if (r == 0) {
        r = pck_parse(chain.leaf, &d.pck, why);
    }
    if (r == 0) {
        r = check_platform(&d, why);
    }
    if (r == 0) {
        r = collateral_check_time(c, time, why);
    }
    if (r == 0) {
        r = check_pck_chain(&chain, c, time, why);
    }
    if (r == 0) {
        r = check_binding(&d.quote, why);
    }
    if (r == 0) {
        r = check_signed(chain.leaf->key, d.quote.qe_report_bytes, d.quote.qe_report_signature,
                         ATT_QE_REPORT_SIGNATURE, "quoting enclave report", why);
    }
    if (r == 0) {
        r = check_signed(d.quote.att_key, d.quote.signed_bytes, d.quote.signature,
                         ATT_QUOTE_SIGNATURE, "header and report", why);
    }
    if (r == 0) {
        r = check_qe_identity(&d.quote.qe_report, &c->qe, why);
    }
    if (r != 0) {
        return r;
    }
    d.pck_from = MAX(chain.leaf->not_before, chain.issuer->not_before);
    d.pck_from = MAX(d.pck_from, chain.root->not_before);
    d.pck_until = MIN(chain.leaf->not_after, chain.issuer->not_after);
    d.pck_until = MIN(d.pck_until, chain.root->not_after);
    *ret = d;
    return 0;
}

/* --- claims --- */

void dcap_claims(const struct dcap *d, int64_t time, struct att_claims *claims)
{
    const struct att_collateral *c = d->collateral;
    int64_t from;
    int64_t until;

    quote_claims(&d->quote, claims);
    claims->groups |= ATT_GROUP_APPRAISED | ATT_GROUP_PCK;
    collateral_window(c, &from, &until);
    claims->valid_from = MAX(from, d->pck_from);
    claims->valid_until = MIN(until, d->pck_until);
    claims->verified_at = time;
    claims->tcb_evaluation_number = c->tcb.evaluation_number;
    claims->root_class = c->trust.root_class;
    memcpy(claims->root_name, c->trust.name, sizeof(claims->root_name));
    memcpy(claims->fmspc, d->pck.fmspc, sizeof(claims->fmspc));
    memcpy(claims->pce_id, d->pck.pce_id, sizeof(claims->pce_id));
    memcpy(claims->ppid, d->pck.ppid, sizeof(claims->ppid));
    memcpy(claims->pck_cpu_svn, d->pck.cpu_svn, sizeof(claims->pck_cpu_svn));
    memcpy(claims->pck_components, d->pck.components, sizeof(claims->pck_components));
    claims->pck_pce_svn = d->pck.pce_svn;
}

enum att_tcb_status dcap_qe_status(const struct dcap *d, const struct isv_level **ret_level)
{
    const struct isv_level *level =
        tcb_find_isv_level(&d->collateral->qe.tcb, d->quote.qe_report.isv_svn);

    *ret_level = level;
    /* Older than every level that is still listed: nobody vouches for it. */
    return level != NULL ? level->status : ATT_TCB_TCB_NOT_SUPPORTED;
}

int dcap_add_advisories(struct att_claims *claims, const struct tcb_advisory_pool *pool,
                        const struct tcb_advisories *list, enum att_advisory_source source,
                        struct att_reason *why)
{
    for (size_t i = 0; i < list->count; i++) {
        struct att_advisory *a;

        if (claims->advisory_count == ATT_ADVISORY_MAX) {
            return att_refuse(why, ATT_TCB_INFO_MALFORMED, "more than %u advisories",
                              ATT_ADVISORY_MAX);
        }
        a = &claims->advisories[claims->advisory_count++];
        a->source = source;
        memcpy(a->id, pool->ids[list->first + i], sizeof(a->id));
    }
    return 0;
}
