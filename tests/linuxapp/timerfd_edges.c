/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* timerfd: absolute and past times, cancelling, changes while armed, partial reads, all clocks. */
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "app.h"

static int wait_ready(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms);
}

int main(void)
{
    const int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    struct itimerspec t;
    struct itimerspec old;
    struct timespec now;
    uint64_t n = 77;
    char small[4];

    for (int i = 0; i < 3; i++) {
        const int fd = timerfd_create(clocks[i], TFD_NONBLOCK);

        clock_gettime(clocks[i], &now);
        t = (struct itimerspec){{0, 0}, {now.tv_sec, now.tv_nsec + 200000000}};
        if (t.it_value.tv_nsec >= 1000000000) {
            t.it_value.tv_nsec -= 1000000000;
            t.it_value.tv_sec++;
        }
        SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
        SHOW(read(fd, &n, 8));
        SHOW(wait_ready(fd, 2000));
        SHOW(read(fd, &n, 8));
        printf("expired %lu\n", (unsigned long)n);
        SHOW(read(fd, &n, 8));
        t = (struct itimerspec){{0, 0}, {1, 0}};
        SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL)); /* long ago */
        SHOW(wait_ready(fd, 1000));
        SHOW(read(fd, &n, 8));
        t = (struct itimerspec){{0, 3000000}, {0, 3000000}};
        SHOW(timerfd_settime(fd, 0, &t, NULL));
        usleep(30000);
        SHOW(read(fd, small, 4));
        SHOW(read(fd, &n, 8));
        printf("several %d\n", n >= 9);
        t = (struct itimerspec){{0, 0}, {100, 0}};
        SHOW(timerfd_settime(fd, 0, &t, &old));
        printf("old interval %ld\n", old.it_interval.tv_nsec);
        SHOW(timerfd_gettime(fd, &old));
        printf("left %d\n", old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
        t = (struct itimerspec){0};
        SHOW(timerfd_settime(fd, 0, &t, NULL));
        SHOW(wait_ready(fd, 10));
        SHOW(lseek(fd, 0, SEEK_SET) < 0 ? 0 : 0);
        SHOW(write(fd, &n, 8));
        close(fd);
    }
    const int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    clock_gettime(CLOCK_REALTIME, &now);
    t = (struct itimerspec){{0, 0}, {now.tv_sec + 1000, 0}};
    SHOW(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &t, NULL));
    SHOW(read(fd, &n, 8));
    SHOW(timerfd_settime(fd, 0x100, &t, NULL));
    t.it_value.tv_nsec = 1000000000;
    SHOW(timerfd_settime(fd, 0, &t, NULL));
    SHOW(timerfd_settime(fd, 0, NULL, NULL));
    SHOW(timerfd_settime(0, 0, &old, NULL));
    SHOW(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    SHOW(timerfd_create(CLOCK_MONOTONIC, 0x10));
    return 0;
}
