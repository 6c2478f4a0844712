/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * One file of the collateral replaced by any bytes, then a good quote verified against it. The
 * first byte says which file and for which TEE; signatures always verify.
 */

#include "attest/verifier.h"
#include "fuzz/attest_fixture.h"
#include "fuzz/fuzz.h"

static void try_verify(const struct att_blob *quote, const struct att_collateral *collateral,
                       const struct att_collateral_info *info)
{
    struct att_reason why = {0};
    struct att_claims claims;

    if (att_verify(quote->data, quote->size, collateral, FIXTURE_TIME, &claims, &why) == 0) {
        FUZZ_CHECK(claims.valid_from >= info->valid_from &&
                   claims.valid_until <= info->valid_until);
        FUZZ_CHECK((unsigned)claims.tcb_status < ATT_TCB_COUNT_);
        return;
    }
    FUZZ_CHECK(why.code != ATT_NONE && why.code != ATT_INTERNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct att_collateral *collateral = NULL;
    struct att_collateral_input input;
    struct att_collateral_info info;
    struct att_reason why = {0};
    const struct fixture *f;
    struct att_blob *files[6];

    if (size == 0) {
        return 0;
    }
    f = (data[0] & 8) != 0 ? fixture_tdx() : fixture_sgx();
    input = f->input;
    files[0] = &input.tcb_info;
    files[1] = &input.qe_identity;
    files[2] = &input.tcb_signing_chain;
    files[3] = &input.pck_crl;
    files[4] = &input.root_ca_crl;
    files[5] = &input.pck_chain;
    *files[(data[0] & 7) % 6] = (struct att_blob){.data = data + 1, .size = size - 1};

    if (att_collateral_new(&input, &f->root, 1, &collateral, &why) != 0) {
        FUZZ_CHECK(why.code != ATT_NONE && why.code != ATT_INTERNAL);
        return 0;
    }
    att_collateral_info(collateral, &info);
    try_verify(&f->quote, collateral, &info);
    try_verify(&f->ppid_quote, collateral, &info);
    collateral = att_collateral_free(collateral);
    return 0;
}
