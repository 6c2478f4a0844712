/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * AES-128-CMAC (NIST SP 800-38B, RFC 4493): the MAC of SGX reports and the way SGX derives keys.
 * AES-NI only, constant time; every processor with SGX has it. Cannot fail.
 */

#include "core/types.h"

#define CMAC_SIZE 16u

void cmac_aes128(const uint8_t key[static 16], const void *data, size_t size,
                 uint8_t ret[static CMAC_SIZE]);
