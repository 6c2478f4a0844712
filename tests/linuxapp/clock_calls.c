/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Clocks: resolution, order between them, what must not be set, and the old calls. */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "app.h"

static long long ns(clockid_t id)
{
    struct timespec t = {0};

    clock_gettime(id, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(void)
{
    const clockid_t ids[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,         CLOCK_MONOTONIC_RAW,
                             CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE,  CLOCK_BOOTTIME,
                             CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_TAI};
    struct timespec t;
    struct timeval tv;
    struct timezone tz = {1, 1};
    clockid_t id;
    int back = 0;

    for (int i = 0; i < 9; i++) {
        long long last = 0;

        SHOW(clock_gettime(ids[i], &t));
        printf("nanoseconds in range %d\n", t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
        SHOW(clock_getres(ids[i], &t));
        printf("resolution %d\n", t.tv_sec == 0 && t.tv_nsec > 0 && t.tv_nsec <= 10000000);
        for (int k = 0; k < 2000; k++) {
            const long long now = ns(ids[i]);

            back += now < last;
            last = now;
        }
    }
    printf("went back %d\n", back);
    printf("coarse is not ahead %d\n", ns(CLOCK_MONOTONIC_COARSE) <= ns(CLOCK_MONOTONIC));
    printf("boottime is not behind %d\n", ns(CLOCK_MONOTONIC) <= ns(CLOCK_BOOTTIME) + 1000000);
    SHOW(gettimeofday(&tv, &tz));
    printf("same second %d, zone %d %d\n", llabs(tv.tv_sec - time(NULL)) <= 1, tz.tz_minuteswest,
           tz.tz_dsttime);
    SHOW(syscall(SYS_time, NULL) - time(NULL) <= 1);
    SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
    printf("system call and vDSO agree %d\n",
           llabs(t.tv_sec * 1000000000ll + t.tv_nsec - ns(CLOCK_MONOTONIC)) < 2000000000);
    SHOW(clock_gettime(99, &t));
    SHOW(clock_getres(99, &t));
    SHOW(clock_getres(CLOCK_MONOTONIC, NULL));
    SHOW(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL));
    SHOW(clock_getcpuclockid(0, &id));
    SHOW(clock_gettime(id, &t));
    SHOW(clock_getcpuclockid(getpid(), &id));
    SHOW(pthread_getcpuclockid(pthread_self(), &id));
    SHOW(clock_gettime(id, &t));
    const long long cpu = ns(CLOCK_PROCESS_CPUTIME_ID);
    while (ns(CLOCK_THREAD_CPUTIME_ID) < 20000000) {
    }
    printf("CPU time passes %d\n", ns(CLOCK_PROCESS_CPUTIME_ID) > cpu);
    return 0;
}
