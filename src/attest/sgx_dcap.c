/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* SGX enclaves: DCAP ECDSA quotes of version 3, 4 and 5. */

#include <string.h>

#include "attest/dcap_internal.h"

static bool sgx_recognises(const uint8_t *evidence, size_t size)
{
    const char *name = quote_kind_name(evidence, size);

    return name != NULL && strcmp(name, "sgx-dcap") == 0;
}

static int sgx_verify(const uint8_t *evidence, size_t size, const struct att_collateral *collateral,
                      int64_t time, struct att_claims *ret_claims, struct att_reason *why)
{
    struct att_claims claims;
    const struct tcb_level *level;
    const struct isv_level *qe_level;
    struct dcap d;
    int r = dcap_authenticate(evidence, size, collateral, time, &d, why);

    if (r != 0) {
        return r;
    }
    dcap_claims(&d, time, &claims);
    claims.qe_status = dcap_qe_status(&d, &qe_level);
    level = tcb_find_level(&collateral->tcb, &d.pck, NULL);
    claims.platform_status = level != NULL ? level->status : ATT_TCB_TCB_NOT_SUPPORTED;
    claims.tcb_status = tcb_converge(claims.platform_status, claims.qe_status);
    if (level != NULL) {
        claims.groups |= ATT_GROUP_LEVEL;
        claims.tcb_date = level->date;
        r = dcap_add_advisories(&claims, &collateral->tcb.pool, &level->advisories,
                                ATT_ADVISORY_PLATFORM, why);
    }
    if (r == 0 && level != NULL && qe_level != NULL) {
        r = dcap_add_advisories(&claims, &collateral->qe.pool, &qe_level->advisories,
                                ATT_ADVISORY_QE, why);
    }
    if (r == 0) {
        *ret_claims = claims;
    }
    return r;
}

static int sgx_inspect(const uint8_t *evidence, size_t size, struct att_claims *ret_claims,
                       struct att_reason *why)
{
    struct quote q;
    int r = quote_parse(evidence, size, &q, why);

    if (r == 0) {
        quote_claims(&q, ret_claims);
    }
    return r;
}

const struct att_verifier att_sgx_dcap = {
    .name = "sgx-dcap",
    .claim_groups = ATT_GROUP_ALWAYS | ATT_GROUP_APPRAISED | ATT_GROUP_SGX | ATT_GROUP_PCK,
    .recognises = sgx_recognises,
    .verify = sgx_verify,
    .inspect = sgx_inspect,
};
