/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Priority-inheriting mutexes under contention: exclusion, time-outs, trylock, recursion. */
/* not: musl a condition with its inheriting mutex hangs natively */
#include <pthread.h>
#include <time.h>

#include "app.h"

static pthread_mutex_t g_m;
static pthread_cond_t g_c = PTHREAD_COND_INITIALIZER;
static long g_sum;
static int g_inside;
static int g_bad;
static int g_turn;

static void *adder(void *arg)
{
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&g_m);
        if (__atomic_add_fetch(&g_inside, 1, __ATOMIC_SEQ_CST) != 1) {
            g_bad++;
        }
        g_sum++;
        __atomic_sub_fetch(&g_inside, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&g_m);
    }
    return NULL;
}

static void *turns(void *arg)
{
    const int me = (int)(long)arg;

    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&g_m);
        while (g_turn % 3 != me) {
            pthread_cond_wait(&g_c, &g_m);
        }
        g_turn++;
        pthread_cond_broadcast(&g_c);
        pthread_mutex_unlock(&g_m);
    }
    return NULL;
}

static void *try(void *arg)
{
    struct timespec t;
    int r;

    printf("trylock %d\n", pthread_mutex_trylock(&g_m));
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 20000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    r = pthread_mutex_timedlock(&g_m, &t);
    printf("timed %d\n", r);
    t.tv_nsec = -1;
    printf("bad time %d\n", pthread_mutex_timedlock(&g_m, &t));
    return NULL;
}

int main(void)
{
    pthread_mutexattr_t a;
    pthread_t t[4];

    pthread_mutexattr_init(&a);
    printf("inherit %d\n", pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
    pthread_mutex_init(&g_m, &a);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, adder, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    printf("sum %ld, two inside %d\n", g_sum, g_bad);
    for (long i = 0; i < 3; i++) {
        pthread_create(&t[i], NULL, turns, (void *)i);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
    printf("turns %d\n", g_turn);
    pthread_mutex_lock(&g_m);
    pthread_create(&t[0], NULL, try, NULL);
    pthread_join(t[0], NULL);
    pthread_mutex_unlock(&g_m);
    pthread_mutex_destroy(&g_m);

    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&g_m, &a);
    for (int i = 0; i < 3; i++) {
        printf("recursive %d\n", pthread_mutex_lock(&g_m));
    }
    for (int i = 0; i < 4; i++) {
        printf("unlock %d\n", pthread_mutex_unlock(&g_m));
    }
    return 0;
}
