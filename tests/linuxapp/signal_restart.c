/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* SA_RESTART and EINTR on read, nanosleep, futex-backed waits; sigsuspend; pause through alarm. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t g_hits;
static int g_pipe[2];

static void handler(int signo)
{
    g_hits++;
    if (g_hits == 2) {
        (void)!write(g_pipe[1], "x", 1);
    }
}

static void arm(int flags)
{
    struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
    struct itimerval t = {{0, 20000}, {0, 20000}};

    g_hits = 0;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

static void disarm(void)
{
    struct itimerval t = {{0, 0}, {0, 0}};

    setitimer(ITIMER_REAL, &t, NULL);
}

int main(void)
{
    struct timespec req = {1, 0};
    struct timespec rem = {0, 0};
    sigset_t set;
    char c;
    ssize_t n;

    (void)!pipe(g_pipe);
    arm(0);
    n = read(g_pipe[0], &c, 1);
    disarm();
    printf("without SA_RESTART: %zd %s\n", n, strerror(errno));

    arm(SA_RESTART);
    n = read(g_pipe[0], &c, 1);
    disarm();
    printf("with SA_RESTART: %zd %c\n", n, c);

    arm(SA_RESTART);
    g_hits = 10;
    n = nanosleep(&req, &rem);
    disarm();
    printf("nanosleep is never restarted: %zd %s, time left %d\n", n, strerror(errno),
           rem.tv_nsec > 0 && rem.tv_sec == 0);

    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    arm(0);
    g_hits = 10;
    while (sigpending(&set), !sigismember(&set, SIGALRM)) {
    }
    sigemptyset(&set);
    errno = 0;
    n = sigsuspend(&set);
    printf("sigsuspend: %zd %s hits %d\n", n, strerror(errno), g_hits > 10);
    disarm();
    sigprocmask(SIG_SETMASK, NULL, &set);
    printf("mask came back %d\n", sigismember(&set, SIGALRM));
    return 0;
}
