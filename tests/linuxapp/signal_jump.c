/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Handlers left by siglongjmp: out of system calls, off the alternate stack, thousands of times. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>

#include "app.h"

static sigjmp_buf g_back;
static volatile int g_jumps;

static void on_alarm(int sig)
{
    g_jumps++;
    siglongjmp(g_back, g_jumps);
}

static char g_alt[65536];

int main(void)
{
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_ONSTACK};
    const stack_t alt = {.ss_sp = g_alt, .ss_size = sizeof(g_alt)};
    struct itimerval every = {{0, 500}, {0, 500}};
    const struct itimerval off = {0};
    stack_t now;
    int p[2];
    char c;
    volatile int blocked = 0;

    (void)!pipe(p);
    sigaltstack(&alt, NULL);
    sigaction(SIGALRM, &sa, NULL);
    if (sigsetjmp(g_back, 1) < 300) {
        if (g_jumps == 0) {
            setitimer(ITIMER_REAL, &every, NULL);
        }
        blocked++;
        switch (g_jumps % 4) {
        case 0: (void)!read(p[0], &c, 1); break;
        case 1: poll(NULL, 0, -1); break;
        case 2:
            for (;;) {
            }
        default: pause(); break;
        }
    }
    setitimer(ITIMER_REAL, &off, NULL);
    printf("jumps %d, most of them out of a call %d\n", g_jumps, blocked > 200);
    sigaltstack(NULL, &now);
    printf("alternate stack left behind %d\n", now.ss_flags == 0);
    /* The pipe still works. */
    (void)!write(p[1], "k", 1);
    SHOW(read(p[0], &c, 1));
    /* the mask came back each time */
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    printf("alarm blocked %d\n", sigismember(&set, SIGALRM));
    return 0;
}
