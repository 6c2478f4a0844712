/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t clock_ms(void)
{
    struct timespec ts = {};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int clock_wait_fd(int fd, short events, int64_t until)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        const int64_t left = until - clock_ms();
        const int n = left <= 0 ? 0 : poll(&p, 1, (int)MIN(left, (int64_t)INT32_MAX));

        if (n > 0) {
            return 0;
        }
        if (n == 0 && left <= INT32_MAX) {
            return -ETIMEDOUT;
        }
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
    }
}
