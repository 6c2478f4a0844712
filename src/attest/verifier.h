/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Evidence bytes + collateral + a time → claims, or a reason. Pure: no sockets, no clock, no files,
 * no logging, no global state; what it says depends on its arguments alone.
 *
 * Two steps. att_verify() decides whether the evidence is genuine and what it says, including the
 * platform's TCB status. att_appraise() decides whether what it says is acceptable: status,
 * advisories, debug, class of root. A policy of all zeros is the strictest one.
 *
 * Collateral is parsed and its signatures are checked once (att_collateral_new) and then serves any
 * number of verifications, from any number of threads at once. Validity periods are always checked
 * against the time of the verification, not of the parsing.
 *
 * Rules: Intel, "SGX/TDX DCAP Quoting Library API" and the evaluation order of Intel's quote
 * verification library; docs/attestation.md says them in full.
 */

#include "core/types.h"

enum att_tcb_status {
#define X(name, tolerable, meaning) ATT_TCB_##name,
#include "attest/status.tbl.h"
#undef X
    ATT_TCB_COUNT_
};

enum att_code {
#define X(code, name, err, sentence, advice) ATT_##code,
#include "attest/reasons.tbl.h"
#undef X
    ATT_CODE_COUNT_
};

enum att_root_class {
    ATT_ROOT_HARDWARE,
    ATT_ROOT_SOFTWARE,
};

/* Which claims a piece of evidence carries: bits of att_claims.groups. */
enum att_claim_group {
    ATT_GROUP_ALWAYS = 1 << 0,
    ATT_GROUP_APPRAISED = 1 << 1,
    ATT_GROUP_LEVEL = 1 << 2, /* a TCB level matched */
    ATT_GROUP_SGX = 1 << 3,
    ATT_GROUP_TDX = 1 << 4,
    ATT_GROUP_TD15_BODY = 1 << 5, /* TD report 1.5 fields */
    ATT_GROUP_TD15 = 1 << 6,      /* … and their verdicts */
    ATT_GROUP_MODULE = 1 << 7,    /* a TDX module identity was evaluated */
    ATT_GROUP_PCK = 1 << 8,
};

/* --- reasons --- */

#define ATT_DETAIL_MAX 192

struct att_reason {
    enum att_code code;
    char detail[ATT_DETAIL_MAX]; /* names the field and the values; may be empty */
};

const char *att_code_name(enum att_code code);     /* "quote_signature" */
const char *att_code_sentence(enum att_code code); /* for people */
const char *att_code_advice(enum att_code code);   /* what to do next */

/* --- TCB statuses --- */

const char *att_tcb_status_name(enum att_tcb_status status);
const char *att_tcb_status_meaning(enum att_tcb_status status);
bool att_tcb_status_tolerable(enum att_tcb_status status);
/* -EINVAL when there is no such status. Names are Intel's, case matters. */
[[nodiscard]] int att_tcb_status_from_name(const char *name, enum att_tcb_status *ret);

/* --- trusted roots --- */

struct att_root {
    enum att_root_class root_class;
    char name[64];
    uint8_t key[64]; /* P-256 x || y, big-endian: the key is trusted, not one certificate */
};

/* Intel's SGX root CA. */
extern const struct att_root att_root_intel;

/* Reads one self-signed root certificate, PEM or DER. `name` is copied (cut at 63 bytes); NULL
 * takes the certificate's common name. */
[[nodiscard]] int att_root_from_cert(const void *data, size_t size, enum att_root_class root_class,
                                     const char *name, struct att_root *ret,
                                     struct att_reason *why);

/* --- claims --- */

#define ATT_ADVISORY_MAX       128
#define ATT_ADVISORY_NAME_SIZE 32

enum att_advisory_source {
    ATT_ADVISORY_PLATFORM,
    ATT_ADVISORY_MODULE,
    ATT_ADVISORY_QE,
};

struct att_advisory {
    enum att_advisory_source source;
    char id[ATT_ADVISORY_NAME_SIZE];
};

#define ATT_FIELD_TEXT(name, n)   char name[n];
#define ATT_FIELD_BYTES(name, n)  uint8_t name[n];
#define ATT_FIELD_U16(name, n)    uint16_t name;
#define ATT_FIELD_U32(name, n)    uint32_t name;
#define ATT_FIELD_U64(name, n)    uint64_t name;
#define ATT_FIELD_BOOL(name, n)   bool name;
#define ATT_FIELD_TIME(name, n)   int64_t name;
#define ATT_FIELD_STATUS(name, n) enum att_tcb_status name;
#define ATT_FIELD_ROOT(name, n)   enum att_root_class name;

/* No pointers inside: copy it freely. A field is meaningful when its group's bit is set. */
struct att_claims {
    uint32_t groups;
#define X(kind, name, dimension, group, meaning) ATT_FIELD_##kind(name, dimension)
#include "attest/claims.tbl.h"
#undef X
    /* In the order platform, module, quoting enclave; one advisory may come from several. */
    size_t advisory_count;
    struct att_advisory advisories[ATT_ADVISORY_MAX];
};

enum att_claim_kind {
    ATT_KIND_TEXT,
    ATT_KIND_BYTES,
    ATT_KIND_U16,
    ATT_KIND_U32,
    ATT_KIND_U64,
    ATT_KIND_BOOL,
    ATT_KIND_TIME,
    ATT_KIND_STATUS,
    ATT_KIND_ROOT,
};

struct att_claim_info {
    const char *name;
    enum att_claim_kind kind;
    uint32_t group;
    size_t offset; /* in struct att_claims */
    size_t size;   /* bytes there */
    const char *meaning;
};

/* Every claim but the advisories, in the table's order. */
extern const struct att_claim_info att_claim_table[];
extern const size_t att_claim_count;

/* Writes a claim's value as text: hex for BYTES, RFC 3339 for TIME, names for STATUS and ROOT.
 * `cap` of 160 holds any claim. Always NUL-terminated. */
#define ATT_CLAIM_TEXT_MAX 160
void att_claim_format(const struct att_claims *claims, const struct att_claim_info *info, char *dst,
                      size_t cap);

/* "2025-08-30T05:09:06Z"; `dst` holds 32 chars. */
void att_time_format(int64_t t, char dst[static 32]);
/* RFC 3339 in UTC ("…Z") or unix seconds. -EINVAL. */
[[nodiscard]] int att_time_parse(const char *s, int64_t *ret);

/* --- collateral --- */

struct att_blob {
    const void *data;
    size_t size;
};

/* The files of one collateral set, as the provisioning service returns them. Borrowed. */
struct att_collateral_input {
    struct att_blob tcb_info;          /* {"tcbInfo":…,"signature":…}, exact bytes */
    struct att_blob qe_identity;       /* {"enclaveIdentity":…,"signature":…}, exact bytes */
    struct att_blob tcb_signing_chain; /* PEM: signer and root */
    struct att_blob pck_crl;           /* DER */
    struct att_blob root_ca_crl;       /* DER */
    struct att_blob pck_chain;         /* PEM, for quotes that carry none; may be empty */
};

#define ATT_JSON_MAX  (256u * 1024)
#define ATT_CRL_MAX   (4u * 1024 * 1024)
#define ATT_CHAIN_MAX (64u * 1024)

struct att_collateral;

/* Parses everything and checks every signature up to one of `roots`. Copies what it needs. Returns
 * 0, or a negative errno value with *why filled. Time is not looked at. */
[[nodiscard]] int att_collateral_new(const struct att_collateral_input *input,
                                     const struct att_root *roots, size_t root_count,
                                     struct att_collateral **ret, struct att_reason *why);
struct att_collateral *att_collateral_free(struct att_collateral *c);
static inline void att_collateral_freep(struct att_collateral **c)
{
    *c = att_collateral_free(*c);
}

struct att_collateral_info {
    int64_t valid_from; /* over TCB info, QE identity, CRLs and the signing chain */
    int64_t valid_until;
    int64_t issued_at; /* the older issueDate of TCB info and QE identity: freshness */
    uint8_t fmspc[6];
    bool tdx;
    uint32_t tcb_evaluation_number;
    enum att_root_class root_class;
    const char *root_name;   /* borrowed from the collateral, as is */
    const uint8_t *root_key; /* P-256 x || y of the root it ends in */
};
void att_collateral_info(const struct att_collateral *c, struct att_collateral_info *ret);

/* The P-256 key, x || y, of the root a PEM chain ends in: what to ask somebody about who may want
 * to trust it. Nothing is verified. */
[[nodiscard]] int att_chain_root_key(const void *pem, size_t size, uint8_t ret_key[static 64],
                                     struct att_reason *why);

/* --- verification --- */

#define ATT_EVIDENCE_MAX (64u * 1024)

/* Decides whether the evidence is genuine at `time` (unix seconds). Returns 0 with *ret_claims,
 * whose tcb_status may be any status, Revoked and TCB_NOT_SUPPORTED included: appraise before you
 * trust. Otherwise a negative errno value with *why filled and *ret_claims untouched. */
[[nodiscard]] int att_verify(const void *evidence, size_t size,
                             const struct att_collateral *collateral, int64_t time,
                             struct att_claims *ret_claims, struct att_reason *why);

/* What the evidence says of itself, with nothing verified: for looking at it only. */
[[nodiscard]] int att_inspect(const void *evidence, size_t size, struct att_claims *ret_claims,
                              struct att_reason *why);

/* --- which collateral --- */

enum att_pck_ca {
    ATT_PCK_PLATFORM,
    ATT_PCK_PROCESSOR,
};

/* What collateral a piece of evidence needs. */
struct att_platform {
    bool tdx;
    uint8_t fmspc[6];
    enum att_pck_ca ca; /* who issued its PCK certificate: whose revocation list it is */
};

/* Names the platform of a quote that carries its PCK chain. The chain is proven up to `root` at
 * `time` (revocation apart, for which there is no list yet), so that nobody without a genuine
 * certificate can make anybody look for collateral; nothing else of the quote is. */
[[nodiscard]] int att_evidence_platform(const void *evidence, size_t size,
                                        const struct att_root *root, int64_t time,
                                        struct att_platform *ret, struct att_reason *why);

/* --- appraisal --- */

#define ATT_TOLERATE(status) (1u << ATT_TCB_##status)

struct att_policy {
    uint32_t tolerate; /* bits 1 << status besides UpToDate; those never tolerable are ignored */
    bool allow_debug;
    bool allow_software; /* accept a root of class software */
    /* When set, each advisory must be in this list. Borrowed. */
    bool check_advisories;
    size_t ignore_count;
    const char *const *ignore_advisories;
};

/* 0 when acceptable, else -EACCES with *why filled. */
[[nodiscard]] int att_appraise(const struct att_claims *claims, const struct att_policy *policy,
                               struct att_reason *why);

/* --- kinds of evidence --- */

struct att_verifier {
    const char *name;      /* "sgx-dcap" */
    uint32_t claim_groups; /* what verified evidence of this kind always carries */
    bool (*recognises)(const uint8_t *evidence, size_t size);
    int (*verify)(const uint8_t *evidence, size_t size, const struct att_collateral *collateral,
                  int64_t time, struct att_claims *ret_claims, struct att_reason *why);
    int (*inspect)(const uint8_t *evidence, size_t size, struct att_claims *ret_claims,
                   struct att_reason *why);
};

/* Ends with NULL. */
extern const struct att_verifier *const att_verifiers[];
