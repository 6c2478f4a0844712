/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* alarm, setitimer, getitimer and sleeping calls that share SIGALRM. */
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "app.h"

static volatile sig_atomic_t g_count;

static void on_alarm(int sig)
{
    g_count++;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    struct itimerval v = {{0, 0}, {100, 0}};
    struct itimerval old;
    struct timespec t = {3, 0};
    struct timespec left = {0, 0};

    sigaction(SIGALRM, &sa, NULL);
    SHOW(alarm(100));
    SHOW(alarm(50) >= 99);
    SHOW(getitimer(ITIMER_REAL, &old));
    printf("alarm shows as itimer %d\n", old.it_value.tv_sec >= 49);
    SHOW(setitimer(ITIMER_REAL, &v, &old));
    printf("old %d\n", old.it_value.tv_sec >= 49 && old.it_interval.tv_sec == 0);
    SHOW(alarm(0) >= 99);
    SHOW(alarm(0));
    v = (struct itimerval){{0, 0}, {0, 1000000}};
    SHOW(setitimer(ITIMER_REAL, &v, NULL));
    SHOW(setitimer(99, &v, NULL));
    SHOW(getitimer(99, &old));
    SHOW(setitimer(ITIMER_REAL, NULL, &old));

    v = (struct itimerval){{0, 2000}, {0, 2000}};
    SHOW(setitimer(ITIMER_REAL, &v, NULL));
    for (int i = 0; i < 2000 && g_count < 10; i++) {
        usleep(2000);
    }
    printf("periodic %d\n", g_count >= 10);
    v = (struct itimerval){0};
    SHOW(setitimer(ITIMER_REAL, &v, NULL));

    v.it_value.tv_usec = 20000;
    SHOW(setitimer(ITIMER_REAL, &v, NULL));
    SHOW(nanosleep(&t, &left));
    printf("left %d\n", left.tv_sec == 2 && left.tv_nsec > 0);
    v.it_value.tv_usec = 20000;
    SHOW(setitimer(ITIMER_REAL, &v, NULL));
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &left));
    printf("left %d\n", left.tv_sec == 2 && left.tv_nsec > 0);
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += 3;
    v.it_value.tv_usec = 20000;
    SHOW(setitimer(ITIMER_REAL, &v, NULL));
    left.tv_sec = 77;
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, &left));
    printf("untouched %ld\n", (long)left.tv_sec);
    t.tv_nsec = 1000000000;
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
    SHOW(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &left, NULL));
    SHOW(clock_nanosleep(77, 0, &left, NULL));
    SHOW(nanosleep(&(struct timespec){-1, 0}, NULL));
    SHOW(nanosleep(&(struct timespec){0, 0}, NULL));
    return 0;
}
