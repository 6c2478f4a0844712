/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the processor attests and derives for this enclave. */

#include "abi/sgx_arch.h"

#define REPORT_DATA_SIZE 64u

/*
 * Report data that begins so is the library OS's and its agent's alone: applications are not given
 * reports or quotes over it. Whoever talks an application into quoting something for him (a service
 * that attests itself does little else) cannot make it say what the agent says to a CAS.
 */
#define REPORT_DATA_PREFIX      "nacre/"
#define REPORT_DATA_PREFIX_SIZE 6u

static inline bool report_data_reserved(const uint8_t data[static REPORT_DATA_SIZE])
{
    return __builtin_memcmp(data, REPORT_DATA_PREFIX, REPORT_DATA_PREFIX_SIZE) == 0;
}

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
