/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Operations whose timing or survival matters: constant-time compare, wiping. */

#include "core/types.h"

/* True when both buffers hold the same bytes. Time depends on `size` alone. The only way secrets
 * and MACs are compared. */
[[nodiscard]] bool ct_equal(const void *a, const void *b, size_t size);

/* True when every byte is zero. Time depends on `size` alone. */
[[nodiscard]] bool ct_is_zero(const void *p, size_t size);

/* Overwrites memory with zeros in a way the compiler may not drop. */
void ct_wipe(void *p, size_t size);
