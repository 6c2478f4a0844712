/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* siginfo of every way to send a signal within a process. */
/* not: musl it has no pthread_sigqueue */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "app.h"

static siginfo_t g_info;
static volatile sig_atomic_t g_count;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    g_info = *si;
    g_count++;
}

static void show(const char *what, int with_sender)
{
    for (int i = 0; i < 2000 && g_count == 0; i++) {
        usleep(1000);
    }
    printf("%s: signal %d code %d errno %d", what, g_info.si_signo, g_info.si_code,
           g_info.si_errno);
    if (with_sender) {
        printf(" pid %d uid %d", g_info.si_pid == getpid(), g_info.si_uid == getuid());
    }
    if (g_info.si_code == SI_QUEUE || g_info.si_code == SI_TIMER) {
        printf(" value %d", g_info.si_value.sival_int);
    }
    printf(", came %d\n", (int)g_count);
    g_count = 0;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    union sigval v = {.sival_int = 4711};
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec soon = {{0, 0}, {0, 1000000}};
    struct itimerval real = {{0, 0}, {0, 1000}};
    siginfo_t made = {.si_signo = SIGUSR1};
    timer_t t;
    sigset_t set;

    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    sigaction(SIGPIPE, &sa, NULL);
    sigaction(SIGRTMIN + 3, &sa, NULL);
    kill(getpid(), SIGUSR1);
    show("kill", 1);
    raise(SIGUSR1);
    show("raise", 1);
    syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
    show("tkill", 1);
    sigqueue(getpid(), SIGUSR1, v);
    show("sigqueue", 1);
    pthread_sigqueue(pthread_self(), SIGRTMIN + 3, v);
    show("pthread_sigqueue", 1);
    ev.sigev_value.sival_int = 99;
    timer_create(CLOCK_MONOTONIC, &ev, &t);
    timer_settime(t, 0, &soon, NULL);
    show("timer", 0);
    setitimer(ITIMER_REAL, &real, NULL);
    show("itimer", 0);
    int p[2];
    (void)!pipe(p);
    close(p[0]);
    OK(write(p[1], "x", 1));
    show("pipe", 1);

    made.si_code = -7;
    SHOW(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &made));
    show("own code", 0);
    made.si_code = SI_USER;
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGUSR1, &made));
    show("to oneself anything goes", 0);
    SHOW(sigqueue(getpid(), 65, v));
    SHOW(sigqueue(getpid(), 0, v));
    SHOW(kill(getpid(), -1));
    SHOW(kill(0x3ffffff, 0));

    /* Standard signals merge, real-time ones queue. */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 5; i++) {
        v.sival_int = i;
        sigqueue(getpid(), SIGUSR1, v);
        sigqueue(getpid(), SIGRTMIN + 3, v);
    }
    for (int i = 0; i < 6; i++) {
        siginfo_t si;
        const int sig = sigwaitinfo(&set, &si);

        printf("%s value %d\n", sig == SIGUSR1 ? "usr1" : "rt", si.si_value.sival_int);
    }
    struct timespec none = {0, 0};
    SHOW(sigtimedwait(&set, NULL, &none));
    return 0;
}
