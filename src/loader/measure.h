/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * MRENCLAVE without a processor (SDM 3D 36.4): a backend whose operations only hash. Everything
 * that enters or runs an enclave is refused with -EOPNOTSUPP.
 */

#include "base/sgx_backend.h"
#include "core/sha256.h"

extern const struct sgx_backend measure_backend;

/* The measurement of what was added so far; may be called more than once. */
void measure_result(const struct sgx_enclave *e, uint8_t ret[static SHA256_SIZE]);
