/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The line time runs on (time/clock.c), as the vDSO reads it from its data page. */

#include "core/types.h"

#define VDSO_TIME_SHIFT 32

struct vdso_time {
    uint32_t sequence; /* odd while it is being written */
    uint32_t pad;
    uint64_t base_tsc;
    uint64_t base_ns;
    uint64_t mult;
    uint64_t resync_at; /* monotonic ns from which the library OS must be asked; 0: always */
    int64_t real_offset;
    int64_t boot_offset;
};
