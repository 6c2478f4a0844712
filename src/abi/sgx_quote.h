/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * DCAP quotes as they travel. Source: Intel "SGX ECDSA QuoteGenReference" (v3 framing) and "TDX
 * DCAP Quoting Library API" (v4/v5 framing). Parsers walk these with a cursor; the structures are
 * for the fixed parts and for writers. All little-endian.
 */

#include "abi/sgx_arch.h"

#define QUOTE_VERSION_3 3u
#define QUOTE_VERSION_4 4u
#define QUOTE_VERSION_5 5u

#define QUOTE_ATT_KEY_ECDSA_P256 2u

#define QUOTE_TEE_SGX 0x00000000u
#define QUOTE_TEE_TDX 0x00000081u

/* 939a7233-f79c-4ca9-940a-0db3957f0607 */
#define QUOTE_INTEL_QE_VENDOR_ID                                                                  \
    {                                                                                             \
        0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, \
            0x07                                                                                  \
    }

enum quote_cert_type {
    QUOTE_CERT_PPID_CLEAR = 1,
    QUOTE_CERT_PPID_RSA2048 = 2,
    QUOTE_CERT_PPID_RSA3072 = 3,
    QUOTE_CERT_PCK_CHAIN = 5, /* PEM: leaf, intermediate, root */
    QUOTE_CERT_QE_REPORT = 6, /* v4/v5: QE report, its signature, auth data, inner certification */
};

struct quote_header {
    uint16_t version;
    uint16_t att_key_type;
    uint32_t tee_type; /* reserved and zero in v3 */
    uint16_t qe_svn;
    uint16_t pce_svn;
    uint8_t qe_vendor_id[16];
    uint8_t user_data[20];
} _packed_;
_Static_assert(sizeof(struct quote_header) == 48, "quote header");

struct quote_v3_fixed {
    struct quote_header header;
    struct sgx_report_body body;
    uint32_t signature_size; /* bytes that follow */
} _packed_;
_Static_assert(sizeof(struct quote_v3_fixed) == 436, "quote v3");

/* What follows in v3, up to the variable parts: auth data, then certification data. */
struct quote_v3_signature {
    uint8_t signature[64]; /* P-256 r || s, big-endian, over header and body */
    uint8_t att_key[64];   /* P-256 x || y, big-endian */
    struct sgx_report_body qe_report;
    uint8_t qe_report_signature[64]; /* by the PCK key, over qe_report */
} _packed_;
_Static_assert(sizeof(struct quote_v3_signature) == 576, "quote v3 signature");

#define QUOTE_MAX_SIZE (64u * 1024)
