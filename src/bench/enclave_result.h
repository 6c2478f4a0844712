/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the test enclave writes to the descriptor it is given after a timed loop. */

#include "core/types.h"

struct bench_enclave_result {
    uint64_t cycles; /* of the time stamp counter, read inside around the loop */
    uint64_t cpu_ns; /* of the process */
    uint64_t exits;  /* EEXIT and AEX */
    uint64_t ops;
} _packed_;
_Static_assert(sizeof(struct bench_enclave_result) == 32, "between programs");
