/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a quote, against good collateral and with signatures that always verify. */

#include "attest/verifier.h"
#include "fuzz/attest_fixture.h"
#include "fuzz/fuzz.h"

static void try_verify(const uint8_t *data, size_t size, const struct fixture *f)
{
    const struct att_policy policy = {.allow_software = true};
    struct att_reason why = {0};
    struct att_claims claims;

    if (att_verify(data, size, f->collateral, FIXTURE_TIME, &claims, &why) == 0) {
        FUZZ_CHECK((claims.groups & ATT_GROUP_APPRAISED) != 0);
        FUZZ_CHECK(claims.advisory_count <= ATT_ADVISORY_MAX);
        FUZZ_CHECK((unsigned)claims.tcb_status < ATT_TCB_COUNT_);
        FUZZ_CHECK(claims.valid_from <= FIXTURE_TIME && claims.valid_until >= FIXTURE_TIME);
        if (att_appraise(&claims, &policy, &why) == 0) {
            FUZZ_CHECK(claims.tcb_status == ATT_TCB_UpToDate && !claims.debug);
        }
        return;
    }
    FUZZ_CHECK(why.code != ATT_NONE && why.code != ATT_INTERNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct att_claims claims;
    char text[ATT_CLAIM_TEXT_MAX];

    if (att_inspect(data, size, &claims, NULL) == 0) {
        for (size_t i = 0; i < att_claim_count; i++) {
            att_claim_format(&claims, &att_claim_table[i], text, sizeof(text));
        }
    }
    try_verify(data, size, fixture_sgx());
    try_verify(data, size, fixture_tdx());
    return 0;
}
