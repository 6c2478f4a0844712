/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* sa_mask, SA_NODEFER, SA_RESETHAND, masks of threads and what a handler inherits and restores. */
#include <pthread.h>
#include <signal.h>

#include "app.h"

static volatile int g_depth;
static volatile int g_max;
static volatile int g_raises;
static char g_log[256];
/* raise is declared to call nothing here; a handler is something. */
static int (*volatile g_raise)(int) = raise;

static void note(const char *s)
{
    strncat(g_log, s, sizeof(g_log) - strlen(g_log) - 1);
}

static void on_signal(int sig)
{
    sigset_t now;

    g_max = ++g_depth > g_max ? g_depth : g_max;
    note(sig == SIGUSR1 ? "1(" : sig == SIGUSR2 ? "2(" : "t(");
    sigprocmask(SIG_BLOCK, NULL, &now);
    note(sigismember(&now, SIGUSR1) ? "b" : "-");
    note(sigismember(&now, SIGUSR2) ? "b" : "-");
    note(sigismember(&now, SIGTERM) ? "b" : "-");
    if (sig == SIGUSR1 && g_depth < 3 && g_raises++ < 2) {
        g_raise(SIGUSR1);
        g_raise(SIGUSR2);
        g_raise(SIGTERM);
    }
    note(")");
    g_depth--;
}

static void run(const char *what, int flags, int mask)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};
    struct sigaction plain = {.sa_handler = on_signal};
    struct sigaction old;

    if (mask) {
        sigaddset(&sa.sa_mask, mask);
    }
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGUSR2, &plain, NULL);
    sigaction(SIGTERM, &plain, NULL);
    g_max = 0;
    g_raises = 0;
    g_log[0] = '\0';
    if ((flags & (int)SA_RESETHAND) != 0) {
        g_depth = 3; /* a second one would kill */
    }
    g_raise(SIGUSR1);
    g_depth = 0;
    sigaction(SIGUSR1, NULL, &old);
    printf("%s: %s depth %d, handler %s\n", what, g_log, g_max,
           old.sa_handler == SIG_DFL ? "default" : "kept");
}

static void *thread(void *arg)
{
    sigset_t now;

    pthread_sigmask(SIG_BLOCK, NULL, &now);
    printf("the thread inherited usr1 %d term %d\n", sigismember(&now, SIGUSR1),
           sigismember(&now, SIGTERM));
    sigpending(&now);
    printf("pending for the process here too %d\n", sigismember(&now, SIGTERM));
    return NULL;
}

int main(void)
{
    sigset_t set;
    sigset_t old;
    pthread_t t;

    run("plain", 0, 0);
    run("nodefer", SA_NODEFER, 0);
    run("mask term", 0, SIGTERM);
    run("nodefer, mask usr2", SA_NODEFER, SIGUSR2);
    run("resethand", (int)SA_RESETHAND, 0);
    run("nodefer, mask itself", SA_NODEFER, SIGUSR1);

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGKILL); /* silently not blocked */
    SHOW(sigprocmask(SIG_BLOCK, &set, &old));
    SHOW(sigprocmask(SIG_BLOCK, NULL, &old));
    printf("kill blocked %d\n", sigismember(&old, SIGKILL));
    SHOW(sigprocmask(99, &set, NULL));
    SHOW(sigprocmask(99, NULL, &old));
    kill(getpid(), SIGTERM);
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    SHOW(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
    SHOW(sigaction(SIGSTOP, NULL, &(struct sigaction){0}));
    SHOW(sigaction(65, NULL, &(struct sigaction){0}));
    /* ignoring discards what is pending */
    signal(SIGTERM, SIG_IGN);
    sigpending(&set);
    printf("pending after it was ignored %d\n", sigismember(&set, SIGTERM));
    return 0;
}
