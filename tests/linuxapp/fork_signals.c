/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals between processes: SIGCHLD and its rules, what a child inherits, kill of one and of many.
 */

static volatile sig_atomic_t g_children;
static volatile sig_atomic_t g_usr;
static volatile int g_code;
static volatile int g_status;
static volatile pid_t g_sender;

static void on_child(int sig, siginfo_t *si, void *uc)
{
    g_children++;
    g_code = si->si_code;
    g_status = si->si_status;
}

static void on_usr(int sig, siginfo_t *si, void *uc)
{
    g_usr++;
    g_sender = si->si_pid;
}

static void wait_for(volatile sig_atomic_t *what, int count)
{
    sigset_t none;

    sigemptyset(&none);
    while (*what < count) {
        sigsuspend(&none);
    }
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    sigset_t set;
    sigset_t got;
    pid_t pid;
    int st;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGCHLD, &sa, NULL);
    pid = fork();
    if (pid == 0) {
        _exit(9);
    }
    wait_for(&g_children, 1);
    printf("SIGCHLD: code %d status %d\n", g_code, g_status);
    printf("wait: %d\n", waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 9);

    /* handlers and masks are inherited, pending signals are not */
    sa.sa_sigaction = on_usr;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    pid = fork();
    if (pid == 0) {
        sigpending(&set);
        sigprocmask(SIG_BLOCK, NULL, &got);
        _exit(sigismember(&set, SIGUSR1) * 2 + sigismember(&got, SIGUSR1));
    }
    waitpid(pid, &st, 0);
    printf("child: pending and mask %d\n", WEXITSTATUS(st));
    wait_for(&g_usr, 1);

    /* both ways */
    g_usr = 0;
    pid = fork();
    if (pid == 0) {
        g_usr = 0;
        kill(getppid(), SIGUSR1);
        wait_for(&g_usr, 1);
        _exit(g_sender == getppid() ? 21 : 22);
    }
    wait_for(&g_usr, 1);
    printf("from the child %d\n", g_sender == pid);
    kill(pid, SIGUSR1);
    waitpid(pid, &st, 0);
    printf("to the child %d\n", WEXITSTATUS(st));

    printf("kill of nobody: %d %s\n", kill(31999, 0), strerror(errno));
    printf("asking: %d\n", kill(getpid(), 0));

    /* who ignores its children has none to wait for */
    signal(SIGCHLD, SIG_IGN);
    pid = fork();
    if (pid == 0) {
        _exit(5);
    }
    printf("ignored: %d", waitpid(pid, &st, 0));
    printf(" %s\n", strerror(errno));
    sa = (struct sigaction){.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &sa, NULL);
    pid = fork();
    if (pid == 0) {
        _exit(5);
    }
    printf("no zombies: %d", wait(&st));
    printf(" %s\n", strerror(errno));
    return 0;
}
