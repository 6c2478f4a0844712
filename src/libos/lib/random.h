/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Randomness from the processor (RDRAND), never from the host. An RDRAND that keeps failing is the
 * end: there is no second source. */

#include "core/types.h"

uint64_t random_u64(void);
void random_bytes(void *dst, size_t size);
