/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The SGX extension of PCK certificates. Source: Intel, "SGX PCK Certificate and CRL Profile". */

#include "attest/x509_internal.h"

#define TCB_COMPONENTS 16u

struct pck {
    uint8_t ppid[16];
    uint8_t components[TCB_COMPONENTS];
    uint16_t pce_svn;
    uint8_t cpu_svn[16];
    uint8_t pce_id[2];
    uint8_t fmspc[6];
    uint32_t sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
};

[[nodiscard]] int pck_parse(const struct x509_cert *cert, struct pck *ret, struct att_reason *why);
