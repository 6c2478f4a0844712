/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/time.h>

#include "core/overflow.h"
#include "libos/mm/user.h"
#include "libos/proc/wait.h"
#include "libos/time/clock.h"

int timespec_to_ns(const struct kernel_timespec64 *ts, uint64_t *ret_ns)
{
    uint64_t ns;

    if (ts->sec < 0 || ts->nsec < 0 || ts->nsec >= (int64_t)NS_PER_S) {
        return -EINVAL;
    }
    if (mul_overflow((uint64_t)ts->sec, NS_PER_S, &ns) ||
        add_overflow(ns, (uint64_t)ts->nsec, &ns)) {
        ns = WAIT_FOREVER - 1;
    }
    *ret_ns = ns;
    return 0;
}

struct kernel_timespec64 ns_to_timespec(uint64_t ns)
{
    return (struct kernel_timespec64){.sec = (int64_t)(ns / NS_PER_S),
                                      .nsec = (int64_t)(ns % NS_PER_S)};
}

int timespec_user_deadline(uint64_t user_ts, uint64_t *ret_deadline)
{
    struct kernel_timespec64 ts;
    uint64_t ns = 0;
    int r;

    if (user_ts == 0) {
        *ret_deadline = WAIT_FOREVER;
        return 0;
    }
    r = user_get(&ts, user_ts);
    if (r == 0) {
        r = timespec_to_ns(&ts, &ns);
    }
    return r < 0 ? r : clock_deadline(CLOCK_MONOTONIC, /*absolute=*/false, ns, ret_deadline);
}
