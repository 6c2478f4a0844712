/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Time without leaving the enclave. The TSC is calibrated against the host's clocks; between
 * calibrations time is a straight line over the TSC, so reading it costs no exit. The host can make
 * time run faster or slower within bounds and can set the wall clock; it cannot make the monotonic
 * clock go back.
 */

#include "core/types.h"

#define NS_PER_S 1000000000ull

/* First reading; `tsc_hz_hint` from the launch parameters (0: none), checked against the host. */
void clock_init(uint64_t tsc_hz_hint);
/* As measured so far; 0 until there is a measurement. */
uint64_t clock_tsc_hz(void);

/* Has every change of the line passed on, beginning with the line as it stands. Called under the
 * clock's lock: the receiver must not read the time. */
struct vdso_time;
void clock_on_change(void (*receiver)(const struct vdso_time *));

/* Nanoseconds. */
uint64_t clock_monotonic(void);
uint64_t clock_realtime(void);
uint64_t clock_boottime(void);

/* Nanoseconds of CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME and their kin; 0 for unknown. */
uint64_t clock_now(int clock_id);
/* CLOCK_REALTIME, for timestamps of files. */
struct timestamp;
void clock_timestamp(struct timestamp *ret);

/* Any clock id of clock_gettime(2), CPU clocks included. -EINVAL for unknown ones. */
[[nodiscard]] int clock_read(int id, uint64_t *ret_ns);

/* Absolute monotonic deadline of a moment on clock `id`, for waiting. Saturates at WAIT_FOREVER
 * - 1. */
[[nodiscard]] int clock_deadline(int id, bool absolute, uint64_t ns, uint64_t *ret_deadline);

/* struct timespec / timeval of the ABI: two int64. */
struct kernel_timespec64 {
    int64_t sec;
    int64_t nsec;
};

/* -EINVAL unless 0 <= nsec < 1e9 and sec >= 0. Saturates. */
[[nodiscard]] int timespec_to_ns(const struct kernel_timespec64 *ts, uint64_t *ret_ns);
struct kernel_timespec64 ns_to_timespec(uint64_t ns);
/* Reads a timespec of the application; NULL gives WAIT_FOREVER. Relative to now: absolute deadline.
 */
[[nodiscard]] int timespec_user_deadline(uint64_t user_ts, uint64_t *ret_deadline);
