/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The good SGX and TDX cases of tests/vectors/attest, loaded once. */

#include "attest/verifier.h"

#define FIXTURE_TIME INT64_C(1770000000)

struct fixture {
    struct att_blob quote;
    struct att_blob ppid_quote; /* carries no PCK chain */
    struct att_collateral_input input;
    struct att_root root;
    struct att_collateral *collateral;
};

const struct fixture *fixture_sgx(void);
const struct fixture *fixture_tdx(void);
