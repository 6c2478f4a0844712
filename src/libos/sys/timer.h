/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* In a child of fork: interval timers and POSIX timers are not inherited. */
void timer_calls_after_fork(void);
