/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Threads that send each other real-time signals as fast as they can: none is lost, none is
 * invented, and their values come in order from each sender. */
/* not: musl it has no pthread_sigqueue */
#include <pthread.h>
#include <signal.h>

#include "app.h"

#define SENDERS 3
#define EACH    400

static pthread_t g_target;
static volatile sig_atomic_t g_got[SENDERS];
static volatile sig_atomic_t g_disorder;
static volatile sig_atomic_t g_nested;
static volatile sig_atomic_t g_depth;
static volatile unsigned long g_work;

static void on_rt(int sig, siginfo_t *si, void *uc)
{
    const int who = si->si_value.sival_int >> 16;
    const int n = si->si_value.sival_int & 0xffff;

    g_nested += ++g_depth > 1;
    if (sig != SIGRTMIN + who || n != g_got[who]) {
        g_disorder++;
    }
    g_got[who]++;
    g_depth--;
}

static void *send(void *arg)
{
    const int who = (int)(long)arg;

    for (int i = 0; i < EACH; i++) {
        const union sigval v = {.sival_int = who << 16 | i};

        while (pthread_sigqueue(g_target, SIGRTMIN + who, v) != 0) {
            usleep(100); /* the queue is full */
        }
    }
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = on_rt, .sa_flags = SA_SIGINFO};
    pthread_t t[SENDERS];
    int done = 0;

    sigfillset(&sa.sa_mask);
    g_target = pthread_self();
    for (int i = 0; i < SENDERS; i++) {
        sigaction(SIGRTMIN + i, &sa, NULL);
    }
    for (long i = 0; i < SENDERS; i++) {
        pthread_create(&t[i], NULL, send, (void *)i);
    }
    /* The target computes, calls and sleeps by turns. */
    for (int i = 0; done < SENDERS * EACH && i < 200000; i++) {
        for (int k = 0; k < 200; k++) {
            g_work += (unsigned long)k;
        }
        if (i % 16 == 0) {
            usleep(50);
        }
        (void)getppid();
        done = 0;
        for (int k = 0; k < SENDERS; k++) {
            done += g_got[k];
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(t[i], NULL);
        printf("from %d: %d\n", i, (int)g_got[i]);
    }
    printf("out of order %d, nested %d\n", (int)g_disorder, (int)g_nested);
    return 0;
}
