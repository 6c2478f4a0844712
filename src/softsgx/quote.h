/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Quoting as the backend table offers it (base/sgx_backend.h): the quoting enclave of this process,
 * started at the first call with the machine's software root. Any thread, also after fork. */

#include "abi/sgx_arch.h"
#include "base/error.h"

[[nodiscard]] int soft_quote_target(struct sgx_targetinfo *ret, struct error **err);

/* A DCAP v3 quote of a REPORT directed to soft_quote_target(), malloc'd. -EACCES when the report's
 * MAC does not verify. */
[[nodiscard]] int soft_quote(const struct sgx_report *report, uint8_t **ret_quote, size_t *ret_size,
                             struct error **err);
