/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Building an enclave through the backend table: the one piece of code that stands behind both the
 * real load and `nacre measure`, so that they cannot disagree.
 */

#include "base/sgx_backend.h"
#include "loader/layout.h"

/* ECREATE and all EADD/EEXTEND of the plan, at `base`. On failure nothing is left behind. */
[[nodiscard]] int build_pages(const struct sgx_backend *b, const struct layout *l, uint64_t base,
                              const struct sgx_attributes *attributes, uint32_t miscselect,
                              struct sgx_enclave **ret, struct error **err);

/* Hints, host page permissions, EINIT. `e` stays the caller's to destroy. */
[[nodiscard]] int build_finish(const struct sgx_backend *b, const struct layout *l,
                               struct sgx_enclave *e, const struct sgx_sigstruct *sigstruct,
                               struct error **err);
