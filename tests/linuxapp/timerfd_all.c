/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* timerfd: one shot, periodic, absolute. */
#include <poll.h>
#include <sys/timerfd.h>

#include "app.h"

int main(void)
{
    scratch();
    struct itimerspec it = {.it_value = {0, 20000000}};
    uint64_t n = 0;
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    SHOW(read(t, &n, 8));
    SHOW(timerfd_settime(t, 0, &it, NULL));
    struct pollfd p = {t, POLLIN, 0};
    SHOW(poll(&p, 1, 2000));
    SHOW(read(t, &n, 8));
    SHOW(n);
    SHOW(poll(&p, 1, 30));
    it.it_interval.tv_nsec = 5000000;
    SHOW(timerfd_settime(t, 0, &it, NULL));
    usleep(60000);
    SHOW(read(t, &n, 8));
    SHOW(n >= 5);
    it = (struct itimerspec){0};
    SHOW(timerfd_settime(t, 0, &it, NULL));
    SHOW(timerfd_gettime(t, &it));
    SHOW(it.it_value.tv_nsec);
    it.it_value.tv_sec = 1;
    SHOW(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL));
    SHOW(read(t, &n, 8));
    SHOW(n);
    SHOW(timerfd_create(99, 0));
    return 0;
}
