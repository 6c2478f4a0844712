/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The order of checks SGX and TDX quotes share, and what they hand each other. */

#include "attest/collateral_internal.h"
#include "attest/quote_internal.h"

struct dcap {
    const struct att_collateral *collateral;
    struct quote quote;
    struct pck pck;
    int64_t pck_from; /* the period of the PCK chain */
    int64_t pck_until;
};

/* All signatures, chains, revocation, times and identities; what is left is the TCB. */
[[nodiscard]] int dcap_authenticate(const uint8_t *evidence, size_t size,
                                    const struct att_collateral *collateral, int64_t time,
                                    struct dcap *ret, struct att_reason *why);

/* Fills the claims of an authenticated quote but for the verdicts. */
void dcap_claims(const struct dcap *d, int64_t time, struct att_claims *claims);

/* The quoting enclave's own level, and its advisories when `claims` is not NULL. */
enum att_tcb_status dcap_qe_status(const struct dcap *d, const struct isv_level **ret_level);

[[nodiscard]] int dcap_add_advisories(struct att_claims *claims,
                                      const struct tcb_advisory_pool *pool,
                                      const struct tcb_advisories *list,
                                      enum att_advisory_source source, struct att_reason *why);

extern const struct att_verifier att_sgx_dcap;
extern const struct att_verifier att_tdx_dcap;
