/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "abi/sgx_arch.h"

struct sgx_enclave;

/* What EINIT would leave in RAX, and on refusal the SIGSTRUCT field that is to blame. */
uint64_t soft_einit_check(const struct sgx_enclave *e, const struct sgx_sigstruct *s,
                          const char **ret_field);
