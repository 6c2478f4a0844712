/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Clocks go forward, agree with each other within reason, and sleeping takes at least its time. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static uint64_t ns(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int main(void)
{
    int r;
    struct timespec req = {0, 30000000};
    struct timespec abs;
    struct timespec ts;
    struct timeval tv;
    uint64_t last = ns(CLOCK_MONOTONIC);
    uint64_t start;
    int back = 0;

    for (int i = 0; i < 200000; i++) {
        uint64_t now = ns(CLOCK_MONOTONIC);

        back += now < last;
        last = now;
    }
    printf("went back %d times\n", back);
    start = ns(CLOCK_MONOTONIC);
    nanosleep(&req, NULL);
    last = ns(CLOCK_MONOTONIC) - start;
    printf("slept long enough %d, not for ever %d\n", last >= 30000000, last < 1000000000);
    clock_gettime(CLOCK_MONOTONIC, &abs);
    abs.tv_nsec += 20000000;
    if (abs.tv_nsec >= 1000000000) {
        abs.tv_nsec -= 1000000000;
        abs.tv_sec++;
    }
    printf("absolute sleep %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &abs, NULL));
    clock_gettime(CLOCK_MONOTONIC, &ts);
    printf("past it %d\n",
           ts.tv_sec > abs.tv_sec || (ts.tv_sec == abs.tv_sec && ts.tv_nsec >= abs.tv_nsec));
    gettimeofday(&tv, NULL);
    printf("wall clocks agree %d\n", (int64_t)tv.tv_sec - (int64_t)time(NULL) <= 1);
    printf("coarse agrees %d\n",
           (int64_t)(ns(CLOCK_REALTIME) - ns(CLOCK_REALTIME_COARSE)) < 100000000);
    printf("boottime not before monotonic %d\n", ns(CLOCK_BOOTTIME) >= start);
    r = clock_gettime(99, &ts);
    printf("bad clock %d %s\n", r, strerror(errno));
    clock_getres(CLOCK_MONOTONIC, &ts);
    printf("resolution %ld ns\n", ts.tv_nsec);
    req.tv_nsec = 1000000000;
    r = nanosleep(&req, NULL);
    printf("bad sleep %d %s\n", r, strerror(errno));
    return 0;
}
