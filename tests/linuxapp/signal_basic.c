/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Handlers, masks, pending sets, SA_RESETHAND, SA_NODEFER, ignored signals. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t g_count;
static volatile sig_atomic_t g_depth;
static volatile sig_atomic_t g_max_depth;
static volatile sig_atomic_t g_raises;

static void count(int signo)
{
    g_count++;
}

static void nested(int signo)
{
    g_depth++;
    if (g_depth > g_max_depth) {
        g_max_depth = g_depth;
    }
    if (g_raises < 2) {
        g_raises++;
        raise(signo);
    }
    g_depth--;
}

int main(void)
{
    int r;
    struct sigaction sa = {.sa_handler = count};
    struct sigaction old;
    sigset_t set;
    sigset_t pending;

    printf("first action %d\n", sigaction(SIGUSR1, &sa, &old));
    printf("was default %d\n", old.sa_handler == SIG_DFL);
    raise(SIGUSR1);
    raise(SIGUSR1);
    printf("count %d\n", (int)g_count);

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigpending(&pending);
    printf("blocked: count %d pending %d\n", (int)g_count, sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("standard signals do not queue: count %d\n", (int)g_count);

    sa.sa_flags = SA_RESETHAND;
    sigaction(SIGUSR2, &sa, NULL);
    raise(SIGUSR2);
    sigaction(SIGUSR2, NULL, &old);
    printf("reset to default %d\n", old.sa_handler == SIG_DFL);

    sa.sa_handler = nested;
    sa.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &sa, NULL);
    raise(SIGUSR1);
    printf("with SA_NODEFER depth %d\n", (int)g_max_depth);
    g_max_depth = 0;
    sa.sa_flags = 0;
    sigaction(SIGUSR1, &sa, NULL);
    g_raises = 0; /* raised again in the handler: blocked until it returns */
    raise(SIGUSR1);
    printf("deferred depth %d\n", (int)g_max_depth);

    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    printf("ignored\n");
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    printf("ignored by default\n");

    r = sigaction(SIGKILL, &sa, NULL);
    printf("SIGKILL action %d %s\n", r, strerror(errno));
    r = sigaction(65, &sa, NULL);
    printf("bad number %d %s\n", r, strerror(errno));
    errno = 0;
    printf("kill 0 %d\n", kill(getpid(), 0));
    r = kill(0x7ffffff0, 0);
    printf("kill nobody %d %s\n", r, strerror(errno));
    return 0;
}
