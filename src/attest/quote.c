/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/quote_internal.h"

#include <string.h>

#include "attest/reason_internal.h"
#include "core/ct.h"
#include "core/le.h"

/* v5 body descriptor */
enum {
    BODY_TYPE_SGX = 1,
    BODY_TYPE_TDX10 = 2,
    BODY_TYPE_TDX15 = 3,
};

static const struct {
    uint32_t size;
    uint32_t tee_type;
    const char *name;
} bodies[] = {
    [QUOTE_BODY_SGX] = {sizeof(struct sgx_report_body), QUOTE_TEE_SGX, "SGX"},
    [QUOTE_BODY_TDX10] = {sizeof(struct td_report10), QUOTE_TEE_TDX, "TDX 1.0"},
    [QUOTE_BODY_TDX15] = {sizeof(struct td_report15), QUOTE_TEE_TDX, "TDX 1.5"},
};

const char *quote_kind_name(const uint8_t *data, size_t size)
{
    uint16_t version;
    uint32_t tee;

    if (size < sizeof(struct quote_header)) {
        return NULL;
    }
    version = le16_load(data);
    tee = le32_load(data + 4);
    if (version < QUOTE_VERSION_3 || version > QUOTE_VERSION_5) {
        return NULL;
    }
    if (tee == QUOTE_TEE_SGX) {
        return "sgx-dcap";
    }
    return tee == QUOTE_TEE_TDX && version != QUOTE_VERSION_3 ? "tdx-dcap" : NULL;
}

static int check_header(const struct quote_header *h, struct att_reason *why)
{
    static const uint8_t vendor[16] = QUOTE_INTEL_QE_VENDOR_ID;

    if (h->version < QUOTE_VERSION_3 || h->version > QUOTE_VERSION_5) {
        return att_refuse(why, ATT_QUOTE_UNSUPPORTED, "header: version %u", h->version);
    }
    if (h->att_key_type != QUOTE_ATT_KEY_ECDSA_P256) {
        return att_refuse(why, ATT_QUOTE_UNSUPPORTED, "header: attestation key type %u",
                          h->att_key_type);
    }
    if (h->tee_type != QUOTE_TEE_SGX &&
        (h->tee_type != QUOTE_TEE_TDX || h->version == QUOTE_VERSION_3)) {
        return att_refuse(why, ATT_QUOTE_UNSUPPORTED, "header: TEE type 0x%x", h->tee_type);
    }
    if (!ct_equal(h->qe_vendor_id, vendor, sizeof(vendor))) {
        return att_refuse(why, ATT_QUOTE_UNSUPPORTED, "header: quoting enclave vendor");
    }
    return 0;
}

/* v5 says its body's kind and size; before, the TEE type decides. */
static int read_body_kind(struct cursor *c, struct quote *q, struct att_reason *why)
{
    uint16_t type;
    uint32_t size;

    if (q->header.version != QUOTE_VERSION_5) {
        q->kind = q->header.tee_type == QUOTE_TEE_SGX ? QUOTE_BODY_SGX : QUOTE_BODY_TDX10;
        return 0;
    }
    if (cursor_u16le(c, &type) != 0 || cursor_u32le(c, &size) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "body descriptor");
    }
    if (type < BODY_TYPE_SGX || type > BODY_TYPE_TDX15) {
        return att_refuse(why, ATT_QUOTE_UNSUPPORTED, "body type %u", type);
    }
    q->kind = (enum quote_body_kind)(type - BODY_TYPE_SGX);
    if (bodies[q->kind].tee_type != q->header.tee_type) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "body type %u in a quote of TEE type 0x%x",
                          type, q->header.tee_type);
    }
    if (size != bodies[q->kind].size) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "body size %u, %s has %u", size,
                          bodies[q->kind].name, bodies[q->kind].size);
    }
    return 0;
}

static bool report_reserved_is_zero(const struct sgx_report_body *b)
{
    return ct_is_zero(b->reserved1, sizeof(b->reserved1)) &&
           ct_is_zero(b->reserved2, sizeof(b->reserved2)) &&
           ct_is_zero(b->reserved3, sizeof(b->reserved3)) &&
           ct_is_zero(b->reserved4, sizeof(b->reserved4));
}

/* QE report, its signature, authentication data: alike in all versions. */
static int read_qe_part(struct cursor *c, struct quote *q, struct att_reason *why)
{
    uint16_t auth_size;

    q->qe_report_bytes = cursor_make(c->p, sizeof(q->qe_report));
    if (cursor_copy(c, &q->qe_report, sizeof(q->qe_report)) != 0 ||
        cursor_copy(c, q->qe_report_signature, sizeof(q->qe_report_signature)) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "quoting enclave report: truncated");
    }
    if (cursor_u16le(c, &auth_size) != 0 || cursor_sub(c, auth_size, &q->auth_data) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED,
                          "authentication data: its size leaves the quote");
    }
    if (!report_reserved_is_zero(&q->qe_report)) {
        return att_refuse(why, ATT_RESERVED_NOT_ZERO, "quoting enclave report");
    }
    return 0;
}

/* type, size, bytes; nothing may follow. */
static int read_cert_part(struct cursor *c, const char *what, uint16_t *ret_type,
                          struct cursor *ret_data, struct att_reason *why)
{
    uint32_t size;

    if (cursor_u16le(c, ret_type) != 0 || cursor_u32le(c, &size) != 0 ||
        cursor_sub(c, size, ret_data) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "%s: its size leaves the quote", what);
    }
    if (cursor_done(c) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "%s: %zu bytes follow", what, c->left);
    }
    return 0;
}

static int read_signature_data(struct cursor *c, struct quote *q, struct att_reason *why)
{
    struct cursor outer;
    uint16_t type;
    int r;

    if (cursor_copy(c, q->signature, sizeof(q->signature)) != 0 ||
        cursor_copy(c, q->att_key, sizeof(q->att_key)) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "signature: truncated");
    }
    if (q->header.version == QUOTE_VERSION_3) {
        r = read_qe_part(c, q, why);
        return r != 0 ? r
                      : read_cert_part(c, "certification data", &q->cert_type, &q->cert_data, why);
    }
    /* v4 and v5 wrap the same parts once more. */
    r = read_cert_part(c, "outer certification data", &type, &outer, why);
    if (r != 0) {
        return r;
    }
    if (type != QUOTE_CERT_QE_REPORT) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "outer certification data: type %u, expected 6",
                          type);
    }
    r = read_qe_part(&outer, q, why);
    return r != 0 ? r
                  : read_cert_part(&outer, "certification data", &q->cert_type, &q->cert_data, why);
}

int quote_parse(const void *data, size_t size, struct quote *ret, struct att_reason *why)
{
    struct cursor c = cursor_make(data, size);
    struct cursor signature_data;
    struct quote q = {0};
    uint32_t signature_size;
    int r;

    if (size > ATT_EVIDENCE_MAX) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "%zu bytes, at most %u are read", size,
                          ATT_EVIDENCE_MAX);
    }
    if (cursor_copy(&c, &q.header, sizeof(q.header)) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "header: truncated");
    }
    r = check_header(&q.header, why);
    if (r == 0) {
        r = read_body_kind(&c, &q, why);
    }
    if (r != 0) {
        return r;
    }
    if (cursor_copy(&c, &q.body, bodies[q.kind].size) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "%s report: truncated", bodies[q.kind].name);
    }
    q.signed_bytes = cursor_make(data, size - c.left);
    if (q.kind == QUOTE_BODY_SGX && !report_reserved_is_zero(&q.body.sgx)) {
        return att_refuse(why, ATT_RESERVED_NOT_ZERO, "enclave report");
    }
    if (cursor_u32le(&c, &signature_size) != 0 ||
        cursor_sub(&c, signature_size, &signature_data) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "signature: its size leaves the quote");
    }
    if (cursor_done(&c) != 0) {
        return att_refuse(why, ATT_QUOTE_MALFORMED, "%zu bytes follow the quote", c.left);
    }
    r = read_signature_data(&signature_data, &q, why);
    if (r == 0) {
        *ret = q;
    }
    return r;
}

/* --- claims --- */

#define COPY(dst, src)                                                        \
    do {                                                                      \
        _Static_assert(sizeof(dst) == sizeof(src), "claim and field differ"); \
        memcpy((dst), (src), sizeof(dst));                                    \
    } while (0)

static void sgx_claims(const struct sgx_report_body *b, struct att_claims *c)
{
    c->groups |= ATT_GROUP_SGX;
    c->debug = (b->attributes.flags & SGX_FLAGS_DEBUG) != 0;
    c->isv_prod_id = b->isv_prod_id;
    c->isv_svn = b->isv_svn;
    c->config_svn = b->config_svn;
    c->attributes = b->attributes.flags;
    c->xfrm = b->attributes.xfrm;
    c->miscselect = b->miscselect;
    COPY(c->report_data, b->report_data);
    COPY(c->mrenclave, b->mrenclave);
    COPY(c->mrsigner, b->mrsigner);
    COPY(c->isv_ext_prod_id, b->isv_ext_prod_id);
    COPY(c->isv_family_id, b->isv_family_id);
    COPY(c->config_id, b->config_id);
    COPY(c->cpu_svn, b->cpu_svn);
}

static void tdx_claims(const struct td_report15 *b, bool is_15, struct att_claims *c)
{
    const struct td_report10 *t = &b->base;

    c->groups |= ATT_GROUP_TDX;
    c->debug = (t->td_attributes[0] & 1) != 0;
    COPY(c->report_data, t->report_data);
    COPY(c->tee_tcb_svn, t->tee_tcb_svn);
    COPY(c->mrseam, t->mrseam);
    COPY(c->mrsignerseam, t->mrsignerseam);
    COPY(c->seam_attributes, t->seam_attributes);
    COPY(c->td_attributes, t->td_attributes);
    COPY(c->xfam, t->xfam);
    COPY(c->mrtd, t->mrtd);
    COPY(c->mrconfigid, t->mrconfigid);
    COPY(c->mrowner, t->mrowner);
    COPY(c->mrownerconfig, t->mrownerconfig);
    COPY(c->rtmr0, t->rtmr[0]);
    COPY(c->rtmr1, t->rtmr[1]);
    COPY(c->rtmr2, t->rtmr[2]);
    COPY(c->rtmr3, t->rtmr[3]);
    if (is_15) {
        c->groups |= ATT_GROUP_TD15_BODY;
        COPY(c->tee_tcb_svn2, b->tee_tcb_svn2);
        COPY(c->mrservicetd, b->mrservicetd);
    }
}

void quote_claims(const struct quote *q, struct att_claims *claims)
{
    const char *type = q->kind == QUOTE_BODY_SGX ? "sgx-dcap" : "tdx-dcap";

    memset(claims, 0, sizeof(*claims));
    claims->groups = ATT_GROUP_ALWAYS;
    memcpy(claims->evidence_type, type, strlen(type));
    claims->quote_version = q->header.version;
    claims->qe_isv_svn = q->qe_report.isv_svn;
    /* The first 16 bytes of the header's user data (QuoteGenReference A.4, table 3). */
    memcpy(claims->qe_id, q->header.user_data, sizeof(claims->qe_id));
    COPY(claims->qe_mrsigner, q->qe_report.mrsigner);
    if (q->kind == QUOTE_BODY_SGX) {
        sgx_claims(&q->body.sgx, claims);
    } else {
        tdx_claims(&q->body.td, q->kind == QUOTE_BODY_TDX15, claims);
    }
}
