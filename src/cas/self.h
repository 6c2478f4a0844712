/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Evidence of CAS itself: that the TLS key a client sees belongs to an enclave, when it runs in
 * one. docs/attestation.md, "Evidence of CAS"
 */

#include "base/error.h"
#include "cas/ca.h"

#define SELF_DIR   "/dev/attestation" /* what a TEE offers its programs */
#define SELF_NONCE 32

/* SHA-512("nacre cas attestation v1" 00 ‖ SHA-256 of the TLS key's SubjectPublicKeyInfo ‖ nonce) */
void self_report_data(const uint8_t key_id[static 32], const uint8_t nonce[static SELF_NONCE],
                      uint8_t ret[static 64]);

/* A quote with this report data from the interface in `dir`. Returns 1 with *ret; 0 when this
 * program runs in no TEE. One call at a time. */
[[nodiscard]] int self_quote(const char *dir, const uint8_t report_data[static 64],
                             struct cas_bytes *ret, struct error **err);
