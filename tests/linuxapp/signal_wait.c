/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Waiting for signals: sigwait, sigtimedwait, sigsuspend, pause, ppoll and pselect with masks. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>
#include <time.h>

#include "app.h"

static volatile sig_atomic_t g_handled;
static pthread_t g_main;
static int g_signal = SIGUSR1;

static void on_signal(int sig)
{
    g_handled++;
}

static void *later(void *arg)
{
    usleep(20000);
    if (arg != NULL) {
        kill(getpid(), g_signal);
    } else {
        pthread_kill(g_main, g_signal);
    }
    return NULL;
}

static pthread_t send_later(int process)
{
    pthread_t t;

    pthread_create(&t, NULL, later, process ? &g_signal : NULL);
    return t;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    const struct timespec zero = {0, 0};
    const struct timespec bad = {0, 2000000000};
    const struct timespec second = {5, 0};
    sigset_t set;
    sigset_t none;
    pthread_t t;
    int sig = 0;
    int p[2];
    fd_set fds;

    g_main = pthread_self();
    sigemptyset(&none);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGUSR2, &sa, NULL);
    sigprocmask(SIG_BLOCK, &set, NULL);

    SHOW(sigtimedwait(&set, NULL, &zero));
    SHOW(sigtimedwait(&set, NULL, &bad));
    raise(SIGUSR1);
    SHOW(sigtimedwait(&set, NULL, &zero));
    t = send_later(1);
    SHOW(sigwait(&set, &sig));
    pthread_join(t, NULL);
    t = send_later(0);
    SHOW(sigtimedwait(&set, NULL, &second));
    pthread_join(t, NULL);
    printf("handled %d\n", (int)g_handled);

    g_signal = SIGUSR2; /* not waited for: a handler ends the wait */
    t = send_later(0);
    SHOW(sigtimedwait(&set, NULL, &second));
    pthread_join(t, NULL);
    printf("handled %d\n", (int)g_handled);
    g_signal = SIGUSR1;

    raise(SIGUSR1);
    SHOW(sigsuspend(&none));
    printf("handled %d\n", (int)g_handled);
    t = send_later(0);
    SHOW(sigsuspend(&none));
    pthread_join(t, NULL);
    sigprocmask(SIG_BLOCK, NULL, &none);
    printf("handled %d, still blocked %d\n", (int)g_handled, sigismember(&none, SIGUSR1));
    sigemptyset(&none);

    (void)!pipe(p);
    raise(SIGUSR1);
    struct pollfd pfd = {.fd = p[0], .events = POLLIN};
    SHOW(ppoll(&pfd, 1, &zero, NULL));
    SHOW(ppoll(&pfd, 1, &second, &none));
    raise(SIGUSR1);
    FD_ZERO(&fds);
    FD_SET(p[0], &fds);
    SHOW(pselect(p[0] + 1, &fds, NULL, NULL, &second, &none));
    printf("handled %d\n", (int)g_handled);
    raise(SIGUSR1);
    (void)!write(p[1], "x", 1);
    SHOW(ppoll(&pfd, 1, &second, &none)); /* ready and a signal */
    printf("handled at least %d\n", g_handled >= 5);
    sigprocmask(SIG_SETMASK, &none, NULL);
    t = send_later(0);
    SHOW(pause());
    pthread_join(t, NULL);
    t = send_later(0);
    SHOW(usleep(100000) == 0 || errno == EINTR);
    pthread_join(t, NULL);
    return 0;
}
