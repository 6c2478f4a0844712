/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Robust and priority-inheriting mutexes: owners that die, and what the next one is told. */
#include <pthread.h>

#include "app.h"

static pthread_mutex_t g_m;
static pthread_barrier_t g_b;

static const char *say(int e)
{
    return e == 0 ? "0" : strerrorname_(e);
}

static void *die_locked(void *arg)
{
    pthread_mutex_lock(&g_m);
    if (arg != NULL) {
        pthread_barrier_wait(&g_b);
        usleep(30000);
    }
    return NULL;
}

static void die(int waiting)
{
    pthread_t t;

    pthread_create(&t, NULL, die_locked, waiting ? &g_m : NULL);
    if (waiting) {
        pthread_barrier_wait(&g_b);
        printf("lock while it dies: %s\n", say(pthread_mutex_lock(&g_m)));
    }
    pthread_join(t, NULL);
}

static void rounds(const char *name, int protocol)
{
    pthread_mutexattr_t a;
    struct timespec soon;

    printf("-- %s\n", name);
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    printf("protocol: %s\n", say(pthread_mutexattr_setprotocol(&a, protocol)));
    pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&g_m, &a);
    printf("lock %s\n", say(pthread_mutex_lock(&g_m)));
    printf("again %s\n", say(pthread_mutex_lock(&g_m)));
    printf("unlock %s\n", say(pthread_mutex_unlock(&g_m)));
    printf("unlock again %s\n", say(pthread_mutex_unlock(&g_m)));

    die(0);
    printf("trylock after a death: %s\n", say(pthread_mutex_trylock(&g_m)));
    printf("consistent %s\n", say(pthread_mutex_consistent(&g_m)));
    printf("unlock %s\n", say(pthread_mutex_unlock(&g_m)));
    printf("lock as before %s\n", say(pthread_mutex_lock(&g_m)));
    printf("consistent without need: %s\n", say(pthread_mutex_consistent(&g_m)));
    pthread_mutex_unlock(&g_m);

    die(1);
    printf("unlock without repair %s\n", say(pthread_mutex_unlock(&g_m)));
    printf("lost for good: %s\n", say(pthread_mutex_lock(&g_m)));
    clock_gettime(CLOCK_REALTIME, &soon);
    printf("timed: %s\n", say(pthread_mutex_timedlock(&g_m, &soon)));
    pthread_mutex_destroy(&g_m);
}

/* Many dead locks in one list. */
static pthread_mutex_t g_many[50];

static void *die_with_many(void *arg)
{
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&g_many[i]);
    }
    for (int i = 0; i < 50; i += 2) {
        pthread_mutex_unlock(&g_many[i]);
    }
    return NULL;
}

int main(void)
{
    pthread_mutexattr_t a;
    pthread_t t;
    int dead = 0;
    int fine = 0;

    pthread_barrier_init(&g_b, NULL, 2);
    rounds("robust", PTHREAD_PRIO_NONE);
    rounds("robust, inheriting", PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    for (int i = 0; i < 50; i++) {
        pthread_mutex_init(&g_many[i], &a);
    }
    pthread_create(&t, NULL, die_with_many, NULL);
    pthread_join(t, NULL);
    for (int i = 0; i < 50; i++) {
        const int r = pthread_mutex_lock(&g_many[i]);

        dead += r == EOWNERDEAD;
        fine += r == 0;
    }
    printf("of 50: %d dead, %d fine\n", dead, fine);
    return 0;
}
