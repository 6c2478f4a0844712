/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Local attestation between enclaves of the same identity: EREPORT directed at ourselves, which
 * every enclave of our MRENCLAVE, ATTRIBUTES, MISCSELECT and CONFIGID on this processor can check
 * and nobody else can make (SDM 36.15, 40.4: EREPORT, EGETKEY).
 */

#include "abi/sgx_arch.h"

/* A report of this enclave over `data`, for an enclave just like it. */
[[nodiscard]] int local_report_make(const uint8_t data[static 64], struct sgx_report *ret);

/* Was it made on this processor by an enclave whose identity equals ours in every field (MRENCLAVE,
 * MRSIGNER, ATTRIBUTES with DEBUG, MISCSELECT, CONFIGID, product, SVNs, CPUSVN), over `data`?
 * -EACCES when not. */
[[nodiscard]] int local_report_check(const struct sgx_report *r, const uint8_t data[static 64]);
