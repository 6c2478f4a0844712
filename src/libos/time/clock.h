/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Time as files and timers need it. Based on the TSC (SGX2 allows RDTSC), anchored to what the host
 * says and kept monotonic whatever it says; see clock.c. No exit per reading.
 */

#include "libos/lib/uapi.h"

/* Nanoseconds of CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME and their kin. */
uint64_t clock_now(int clock_id);
/* CLOCK_REALTIME, for timestamps. */
void clock_timestamp(struct timestamp *ret);
