/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Accesses that may fault: boot/entry.S has them with their fixups. Ranges were checked. */

#include "core/types.h"

/* Bytes that were not copied. */
size_t user_raw_copy(void *dst, const void *src, size_t size);
size_t user_raw_clear(void *dst, size_t size);
/* 0, or 1 on a fault. */
int user_raw_load32(const uint32_t *src, uint32_t *dst);
/* 0 done, 2 differs (*expected is what was there), 1 fault. */
int user_raw_cmpxchg32(uint32_t *p, uint32_t *expected, uint32_t desired);
