/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Real-time signals queue, in order, with their values; siginfo is what the sender gave. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int g_values[16];
static volatile int g_n;
static volatile int g_code_ok;

static void handler(int signo, siginfo_t *info, void *uc)
{
    if (g_n < 16) {
        g_values[g_n++] = info->si_value.sival_int;
    }
    g_code_ok += info->si_code == SI_QUEUE && info->si_pid == getpid() &&
                 info->si_uid == getuid() && info->si_signo == signo;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t set;
    siginfo_t info;
    struct timespec zero = {0};

    sigaction(SIGRTMIN, &sa, NULL);
    sigaction(SIGRTMIN + 1, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 5; i++) {
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i});
    }
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    }
    printf("waited for %d\n", sigwaitinfo(&set, &info) - SIGRTMIN);
    printf("value %d code %d\n", info.si_value.sival_int, info.si_code);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("handled %d, right %d:", g_n, g_code_ok);
    /* Frames stack: the last one built runs first, as on every Linux. Print as a sum and a count.
     */
    int sum = 0;
    for (int i = 0; i < g_n; i++) {
        sum += g_values[i];
    }
    printf(" sum %d\n", sum);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("timed out %d\n", sigtimedwait(&set, &info, &zero));
    return 0;
}
