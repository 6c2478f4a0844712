/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Deadlines: milliseconds of a clock that nobody sets. */

#include "core/types.h"

int64_t clock_ms(void);

/* Until `fd` is ready for one of poll's `events`, or broken: 0. -ETIMEDOUT: clock_ms() reached
 * `until` first. */
[[nodiscard]] int clock_wait_fd(int fd, short events, int64_t until);
