/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Taking a DCAP quote apart: v3 (SGX), v4 (SGX or TDX 1.0), v5 (SGX, TDX 1.0 or 1.5). Source: Intel
 * "SGX ECDSA QuoteGenReference" A.4 and "TDX DCAP Quoting Library API" A.3. Every length must add
 * up and nothing may follow the quote.
 */

#include "abi/sgx_quote.h"
#include "attest/verifier.h"
#include "core/cursor.h"

enum quote_body_kind {
    QUOTE_BODY_SGX,
    QUOTE_BODY_TDX10,
    QUOTE_BODY_TDX15,
};

/* TD report as quoted (TDX module specification, TDINFO and TEE_TCB_INFO). */
struct td_report10 {
    uint8_t tee_tcb_svn[16];
    uint8_t mrseam[48];
    uint8_t mrsignerseam[48];
    uint8_t seam_attributes[8];
    uint8_t td_attributes[8];
    uint8_t xfam[8];
    uint8_t mrtd[48];
    uint8_t mrconfigid[48];
    uint8_t mrowner[48];
    uint8_t mrownerconfig[48];
    uint8_t rtmr[4][48];
    uint8_t report_data[64];
} _packed_;
_Static_assert(sizeof(struct td_report10) == 584, "TD report 1.0");

struct td_report15 {
    struct td_report10 base;
    uint8_t tee_tcb_svn2[16];
    uint8_t mrservicetd[48];
} _packed_;
_Static_assert(sizeof(struct td_report15) == 648, "TD report 1.5");

/* Everything is copied or borrowed from the evidence. */
struct quote {
    struct quote_header header;
    enum quote_body_kind kind;
    union {
        struct sgx_report_body sgx;
        struct td_report15 td; /* TDX 1.0: the base only */
    } body;
    struct cursor signed_bytes; /* what the attestation key signed */
    uint8_t signature[64];
    uint8_t att_key[64];
    struct sgx_report_body qe_report;
    struct cursor qe_report_bytes;
    uint8_t qe_report_signature[64];
    struct cursor auth_data;
    uint16_t cert_type;
    struct cursor cert_data;
};

[[nodiscard]] int quote_parse(const void *data, size_t size, struct quote *ret,
                              struct att_reason *why);
/* "sgx-dcap" for SGX, "tdx-dcap" for TDX; NULL when the header is of neither. Looks at the header
 * only. */
const char *quote_kind_name(const uint8_t *data, size_t size);

/* Fills the claims the quote makes by itself. */
void quote_claims(const struct quote *q, struct att_claims *claims);
