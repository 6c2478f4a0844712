/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "abi/sgx_arch.h"

/* Is s->signature a PKCS#1 v1.5 signature of `digest` under s->modulus and exponent 3, and are
 * s->q1 and s->q2 its quotients? */
[[nodiscard]] bool soft_rsa_verify(const struct sgx_sigstruct *s, const uint8_t digest[static 32]);
