/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the processor attests and derives for this enclave. */

#include "abi/report_data.h"
#include "abi/sgx_arch.h"

/* EREPORT: this enclave, over `data`, for the enclave `target` names. Zeros as a target: for
 * nobody, to read one's own identity. -EINVAL: the processor refused the target. */
[[nodiscard]] int attest_report(const struct sgx_targetinfo *target,
                                const uint8_t data[static REPORT_DATA_SIZE],
                                struct sgx_report *ret);

/* TARGETINFO that names this enclave. */
[[nodiscard]] int attest_own_target(struct sgx_targetinfo *ret);

/* EGETKEY: a sealing key of this enclave (SGX_KEYPOLICY_MRENCLAVE or _MRSIGNER), at its current
 * security version and without DEBUG enclaves getting the same. */
[[nodiscard]] int attest_seal_key(uint16_t policy, uint8_t ret[static 16]);

/* A quote over `data`: the host's quoting enclave signs a report made for it. *ret is kmalloc'd.
 * -ENODEV: the host has nothing that quotes. */
[[nodiscard]] int attest_quote(const uint8_t data[static REPORT_DATA_SIZE], uint8_t **ret,
                               size_t *ret_size);
