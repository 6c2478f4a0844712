/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Mutexes of every kind, condition variables, barriers, rwlocks, once, semaphores, TLS, cancel. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS  2000

static pthread_mutex_t g_lock;
static pthread_cond_t g_cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t g_barrier;
static pthread_rwlock_t g_rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t g_once = PTHREAD_ONCE_INIT;
static long g_counter;
static int g_once_count;
static int g_serial;
static __thread int t_value;

static void once(void)
{
    g_once_count++;
}

static void *work(void *arg)
{
    t_value = (int)(long)arg;
    pthread_once(&g_once, once);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&g_lock);
        g_counter++;
        pthread_mutex_unlock(&g_lock);
    }
    if (pthread_barrier_wait(&g_barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        __atomic_add_fetch(&g_serial, 1, __ATOMIC_SEQ_CST);
    }
    pthread_rwlock_rdlock(&g_rw);
    pthread_rwlock_unlock(&g_rw);
    return (void *)(long)t_value;
}

static void run(const char *name, int kind, int protocol, int robust)
{
    pthread_mutexattr_t attr;
    pthread_t t[THREADS];
    long sum = 0;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, kind);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutexattr_setrobust(&attr, robust);
    printf("%s init %d\n", name, pthread_mutex_init(&g_lock, &attr));
    pthread_barrier_init(&g_barrier, NULL, THREADS);
    g_counter = 0;
    g_serial = 0;
    for (long i = 0; i < THREADS; i++) {
        pthread_create(&t[i], NULL, work, (void *)i);
    }
    for (int i = 0; i < THREADS; i++) {
        void *r;

        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("%s counter %ld serial %d sum %ld\n", name, g_counter, g_serial, sum);
    pthread_mutex_destroy(&g_lock);
}

static pthread_mutex_t g_robust;

static void *die_holding(void *arg)
{
    pthread_mutex_lock(&g_robust);
    return NULL;
}

static void *cancelled(void *arg)
{
    for (;;) {
        sleep(100);
    }
    return NULL;
}

static void robust(int protocol)
{
    pthread_mutexattr_t attr;
    pthread_t t;
    int r;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutex_init(&g_robust, &attr);
    pthread_create(&t, NULL, die_holding, NULL);
    pthread_join(t, NULL);
    r = pthread_mutex_lock(&g_robust);
    printf("robust: %s, consistent %d", strerror(r), pthread_mutex_consistent(&g_robust));
    printf(", unlock %d", pthread_mutex_unlock(&g_robust));
    printf(", lock %d\n", pthread_mutex_lock(&g_robust));
    pthread_mutex_unlock(&g_robust);
}

int main(void)
{
    struct timespec t;
    pthread_t thread;
    void *result;

    run("normal", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    run("recursive", PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    run("inherit", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED);
    run("robust", PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
    printf("once %d\n", g_once_count);
    robust(PTHREAD_PRIO_NONE);
    robust(PTHREAD_PRIO_INHERIT);

    pthread_mutex_init(&g_lock, NULL);
    pthread_mutex_lock(&g_lock);
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 20000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    printf("timed wait: %s\n", strerror(pthread_cond_timedwait(&g_cond, &g_lock, &t)));
    pthread_create(&thread, NULL, cancelled, NULL);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    return 0;
}
