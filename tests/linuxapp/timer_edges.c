/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* POSIX timers at their edges: past times, overruns, SIGEV_NONE, thread targets, deletion, errors.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "app.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile sig_atomic_t g_count;
static volatile sig_atomic_t g_overrun;
static timer_t g_timer;
static pthread_t g_handled_by;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    g_count++;
    g_overrun += si->si_overrun;
    g_handled_by = pthread_self();
}

static int wait_for(int n)
{
    for (int i = 0; i < 3000 && g_count < n; i++) {
        usleep(1000);
    }
    return g_count >= n;
}

static void *target(void *arg)
{
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    const struct itimerspec soon = {{0, 0}, {0, 2000000}};
    timer_t t;
    int came;

    ev.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    SHOW(timer_create(CLOCK_MONOTONIC, &ev, &t));
    g_count = 0;
    SHOW(timer_settime(t, 0, &soon, NULL));
    came = wait_for(1); /* before g_handled_by is looked at */
    printf("came %d, to the right thread %d\n", came, pthread_equal(g_handled_by, pthread_self()));
    SHOW(timer_delete(t));
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec ts = {{0, 0}, {0, 1}};
    struct itimerspec old;
    struct timespec now;
    timer_t silent;
    pthread_t t;
    sigset_t set;

    sigaction(SIGRTMIN, &sa, NULL);
    SHOW(timer_create(CLOCK_REALTIME, &ev, &g_timer));
    /* an absolute time in the past is now */
    ts.it_value.tv_sec = 1;
    SHOW(timer_settime(g_timer, TIMER_ABSTIME, &ts, NULL));
    printf("past came %d\n", wait_for(1));
    SHOW(timer_gettime(g_timer, &old));
    printf("disarmed %d\n", old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    /* far ahead, and taken back */
    clock_gettime(CLOCK_REALTIME, &now);
    ts = (struct itimerspec){{0, 0}, {now.tv_sec + 1000, 0}};
    SHOW(timer_settime(g_timer, TIMER_ABSTIME, &ts, NULL));
    ts = (struct itimerspec){{3, 0}, {500, 0}};
    SHOW(timer_settime(g_timer, 0, &ts, &old));
    printf("old value %d\n", old.it_value.tv_sec >= 997 && old.it_value.tv_sec <= 1000);
    SHOW(timer_gettime(g_timer, &old));
    printf("value %d interval %ld\n", old.it_value.tv_sec >= 498, (long)old.it_interval.tv_sec);
    ts = (struct itimerspec){{0, 0}, {0, 1000000000}};
    SHOW(timer_settime(g_timer, 0, &ts, NULL));
    ts.it_value = (struct timespec){-1, 0};
    SHOW(timer_settime(g_timer, 0, &ts, NULL));
    SHOW(timer_settime(g_timer, 0, NULL, NULL));

    /* overruns while it is blocked: one signal, the rest is counted */
    g_count = g_overrun = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ts = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    SHOW(timer_settime(g_timer, 0, &ts, NULL));
    usleep(60000);
    ts = (struct itimerspec){0};
    SHOW(timer_settime(g_timer, 0, &ts, NULL));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    /* Linux drops the queued signal of a timer that was set anew or keeps it, by version. */
    printf("at most one came %d\n", g_count <= 1);
    ts = (struct itimerspec){{0, 1000000}, {0, 1000000}};
    g_count = g_overrun = 0;
    SHOW(timer_settime(g_timer, 0, &ts, NULL));
    for (int i = 0; i < 300 && g_count + g_overrun < 20; i++) {
        usleep(5000);
    }
    printf("ticks %d\n", g_count + g_overrun >= 20);
    SHOW(timer_delete(g_timer));
    SHOW(timer_getoverrun(g_timer) >= 0 || errno == EINVAL);

    SHOW(timer_create(CLOCK_MONOTONIC, &none, &silent));
    ts = (struct itimerspec){{0, 0}, {0, 20000000}};
    SHOW(timer_settime(silent, 0, &ts, NULL));
    SHOW(timer_gettime(silent, &old));
    printf("running %d\n", old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
    usleep(30000);
    SHOW(timer_gettime(silent, &old));
    printf("over %d\n", old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    SHOW(timer_delete(silent));
    ev.sigev_notify = 77;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &silent));
    ev.sigev_notify = SIGEV_SIGNAL;
    ev.sigev_signo = 99;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &silent));
    SHOW(syscall(SYS_timer_create, 99, NULL, &silent));
    pthread_create(&t, NULL, target, NULL);
    pthread_join(t, NULL);
    return 0;
}
