/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Threads that come and go, as in a server that makes one for each request: a signal for the
 * process may meet any of them at any point of its life. Says a line for each SIGUSR1; SIGTERM ends
 * it. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static void on_signal(int sig)
{
    (void)!write(1, "got it\n", 7);
}

static void *work(void *arg)
{
    for (volatile int i = 0; i < 200; i++) {
    }
    return arg;
}

static void *churn(void *arg)
{
    for (;;) {
        pthread_t t[2];

        for (int i = 0; i < 2; i++) {
            if (pthread_create(&t[i], NULL, work, NULL) != 0) {
                _exit(2);
            }
        }
        for (int i = 0; i < 2; i++) {
            (void)pthread_join(t[i], NULL);
        }
    }
    return arg;
}

int main(void)
{
    const struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    (void)sigaction(SIGUSR1, &sa, NULL);
    (void)!write(1, "ready\n", 6);
    (void)churn(NULL);
    return 0;
}
