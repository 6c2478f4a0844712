/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* fork while other threads compute, allocate, sleep, wait for each other and fork themselves: the
 * child has one thread and a whole heap, and nobody here loses a wake-up. */

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static sem_t g_ping;
static sem_t g_pong;
static volatile int g_stop;
static long g_turns;

static void *compute(void *arg)
{
    while (!g_stop) {
        for (volatile int i = 0; i < 1000; i++) {
        }
    }
    return NULL;
}

static void *allocate(void *arg)
{
    while (!g_stop) {
        char *p = malloc(100000);

        memset(p, 1, 100000);
        free(p);
    }
    return NULL;
}

static void *ping(void *arg)
{
    while (!g_stop) {
        sem_wait(&g_ping);
        g_turns++;
        sem_post(&g_pong);
    }
    return NULL;
}

static void *pong(void *arg)
{
    while (!g_stop) {
        sem_post(&g_ping);
        sem_wait(&g_pong);
    }
    sem_post(&g_ping);
    return NULL;
}

static void *wait_cond(void *arg)
{
    pthread_mutex_lock(&g_lock);
    while (!g_stop) {
        pthread_cond_wait(&g_cond, &g_lock);
    }
    pthread_mutex_unlock(&g_lock);
    return NULL;
}

static void *wait_epoll(void *arg)
{
    const int ep = epoll_create1(0);
    struct epoll_event ev;

    while (!g_stop) {
        if (epoll_wait(ep, &ev, 1, 20) < 0) {
            perror("epoll_wait"); /* nobody sent a signal */
        }
    }
    close(ep);
    return NULL;
}

static int fork_one(int code)
{
    const pid_t pid = fork();
    int st;

    if (pid == 0) {
        char *p = malloc(3000000);

        memset(p, code, 3000000);
        free(p);
        _exit(code);
    }
    if (pid < 0 || waitpid(pid, &st, 0) != pid) {
        perror("fork");
        return -1;
    }
    return WEXITSTATUS(st);
}

static void *forker(void *arg)
{
    for (int i = 0; i < 5; i++) {
        if (fork_one(20 + i) != 20 + i) {
            printf("a fork of a thread went wrong\n");
        }
    }
    return NULL;
}

int main(void)
{
    void *(*const bodies[])(void *) = {compute, allocate,  ping,       pong,
                                       forker,  wait_cond, wait_epoll, forker};
    enum { COUNT = sizeof(bodies) / sizeof(bodies[0]) };
    pthread_t threads[COUNT];
    struct timespec nap = {.tv_nsec = 5000000};

    setvbuf(stdout, NULL, _IOLBF, 0);
    sem_init(&g_ping, 0, 0);
    sem_init(&g_pong, 0, 0);
    for (int i = 0; i < COUNT; i++) {
        pthread_create(&threads[i], NULL, bodies[i], NULL);
    }
    for (int i = 0; i < 8; i++) {
        if (fork_one(i) != i) {
            printf("fork %d went wrong\n", i);
        }
        nanosleep(&nap, NULL);
    }
    pthread_join(threads[4], NULL);
    pthread_join(threads[7], NULL);
    printf("took turns %d\n", g_turns > 10);
    pthread_mutex_lock(&g_lock);
    g_stop = 1;
    pthread_cond_broadcast(&g_cond);
    pthread_mutex_unlock(&g_lock);
    sem_post(&g_pong);
    for (int i = 0; i < COUNT; i++) {
        if (bodies[i] != forker) {
            pthread_join(threads[i], NULL);
        }
    }
    printf("all joined\n");
    return 0;
}
