/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Arithmetic on foreign numbers. Each returns true when the exact result does not fit. */

#include "core/types.h"

#define add_overflow(a, b, ret) __builtin_add_overflow((a), (b), (ret))
#define sub_overflow(a, b, ret) __builtin_sub_overflow((a), (b), (ret))
#define mul_overflow(a, b, ret) __builtin_mul_overflow((a), (b), (ret))

/* True when [start, start + size) lies inside [lo, hi) and does not wrap. Empty ranges must lie
 * inside as well (start <= hi). */
static inline bool range_within(uint64_t start, uint64_t size, uint64_t lo, uint64_t hi)
{
    uint64_t end;

    if (add_overflow(start, size, &end)) {
        return false;
    }
    return start >= lo && end <= hi;
}

/* True when two ranges share at least one byte. A range that wraps counts as overlapping. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    uint64_t a_end;
    uint64_t b_end;

    if (add_overflow(a, a_size, &a_end) || add_overflow(b, b_size, &b_end)) {
        return true;
    }
    return a_size != 0 && b_size != 0 && a < b_end && b < a_end;
}
