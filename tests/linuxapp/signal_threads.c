/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Signals to one thread and to the process; masks are per thread; a blocked wait is interrupted. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_t g_main;
static volatile int g_in_main;
static volatile int g_in_worker;
static sem_t g_ready;
static sem_t g_never;
static int g_wait_result;
static int g_wait_errno;

static void handler(int signo)
{
    if (pthread_equal(pthread_self(), g_main)) {
        g_in_main++;
    } else {
        g_in_worker++;
    }
}

static void *worker(void *arg)
{
    sem_post(&g_ready);
    g_wait_result = sem_wait(&g_never);
    g_wait_errno = errno;
    return NULL;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = handler};
    pthread_t t;
    sigset_t set;

    g_main = pthread_self();
    sem_init(&g_ready, 0, 0);
    sem_init(&g_never, 0, 0);
    sigaction(SIGUSR1, &sa, NULL);
    pthread_create(&t, NULL, worker, NULL);
    sem_wait(&g_ready);
    usleep(50000);
    pthread_kill(t, SIGUSR1);
    pthread_join(t, NULL);
    printf("worker %d main %d wait %d %s\n", g_in_worker, g_in_main, g_wait_result,
           strerror(g_wait_errno));

    /* Main blocks it: a process-directed signal goes to the worker. */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    g_in_worker = 0;
    pthread_create(&t, NULL, worker, NULL);
    sem_wait(&g_ready);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    usleep(50000);
    kill(getpid(), SIGUSR1);
    pthread_join(t, NULL);
    printf("worker %d main %d\n", g_in_worker, g_in_main);
    return 0;
}
