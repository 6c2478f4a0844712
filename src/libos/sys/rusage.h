/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* A struct rusage of the application with nothing but times (ns) in it. 0 or -EFAULT. */
[[nodiscard]] int rusage_put_times(uint64_t user_usage, uint64_t utime, uint64_t stime);
