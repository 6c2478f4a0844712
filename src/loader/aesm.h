/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Quotes from Intel's Architectural Enclave Service Manager over /var/run/aesmd/aesm.socket: a
 * 4-byte little-endian length, then a Protocol Buffers message. The loader is static and cannot
 * load libsgx_dcap_ql; the service does that on our behalf. The few messages needed are written
 * and read by hand, answers as foreign bytes.
 */

#include "abi/sgx_arch.h"
#include "base/error.h"

#define AESM_SOCKET      "/var/run/aesmd/aesm.socket"
#define AESM_MESSAGE_MAX ((size_t)256 << 10)

typedef int (*aesm_exchange)(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size);

[[nodiscard]] int aesm_quote_target(aesm_exchange exchange, struct sgx_targetinfo *ret,
                                    struct error **err);
/* *ret_quote is malloc'd, the caller's. */
[[nodiscard]] int aesm_quote(aesm_exchange exchange, const struct sgx_report *report,
                             uint8_t **ret_quote, size_t *ret_size, struct error **err);
