/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* timer_create with a signal and with none; gettime, overrun, delete; setitimer's remaining time.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    int r;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}};
    struct itimerspec now;
    struct itimerval it = {{0, 0}, {100, 0}};
    siginfo_t info;
    sigset_t set;
    timer_t t;
    timer_t none;

    ev.sigev_value.sival_int = 77;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("create %d\n", timer_create(CLOCK_MONOTONIC, &ev, &t));
    printf("set %d\n", timer_settime(t, 0, &spec, NULL));
    for (int i = 0; i < 3; i++) {
        int got = sigwaitinfo(&set, &info) == SIGRTMIN;

        printf("signal %d code %d value %d\n", got, info.si_code == SI_TIMER,
               info.si_value.sival_int);
    }
    timer_gettime(t, &now);
    printf("interval %ld\n", now.it_interval.tv_nsec);
    printf("delete %d\n", timer_delete(t));
    r = timer_delete(t);
    printf("again %d %s\n", r, strerror(errno));

    ev.sigev_notify = SIGEV_NONE;
    timer_create(CLOCK_REALTIME, &ev, &none);
    spec.it_value.tv_sec = 100;
    spec.it_interval.tv_nsec = 0;
    timer_settime(none, 0, &spec, NULL);
    timer_gettime(none, &now);
    printf("left about 100 s %d\n", now.it_value.tv_sec >= 99 && now.it_value.tv_sec <= 100);
    spec.it_value.tv_nsec = 2000000000;
    r = timer_settime(none, 0, &spec, NULL);
    printf("bad value %d %s\n", r, strerror(errno));

    setitimer(ITIMER_REAL, &it, NULL);
    getitimer(ITIMER_REAL, &it);
    printf("itimer left about 100 s %d\n", it.it_value.tv_sec >= 99 && it.it_value.tv_sec <= 100);
    printf("alarm(0) gives %u\n", alarm(0));
    printf("alarm(0) gives %u\n", alarm(0));
    return 0;
}
