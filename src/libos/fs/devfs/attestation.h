/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/fs/pseudo.h"

/*
 * /dev/attestation for applications, with the names and meaning that Gramine gave them:
 *
 *   user_report_data  64 bytes for report and quote, as written (shorter: zeros follow)
 *   target_info       512 bytes: whom `report` is for
 *   my_target_info    TARGETINFO of this enclave
 *   report            EREPORT over user_report_data for target_info
 *   quote             DCAP quote over user_report_data
 *   attestation_type  "dcap"
 *   keys/default, keys/_sgx_mrenclave, keys/_sgx_mrsigner   16 bytes: one to be set, two derived
 *
 * What is written belongs to the process. Each opening shows what held at its first read.
 */
extern const struct pseudo_entry attestation_entries[];
