/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Waits against CLOCK_REALTIME and CLOCK_MONOTONIC: futex, condition, semaphore, mutex; past and
 * far times; signals in between. */
/* not: musl it has none of the clock waits */
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "app.h"

static struct timespec in(clockid_t id, long ms)
{
    struct timespec t;

    clock_gettime(id, &t);
    t.tv_nsec += ms * 1000000;
    while (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    while (t.tv_nsec < 0) {
        t.tv_nsec += 1000000000;
        t.tv_sec--;
    }
    return t;
}

static void report(const char *what, int r, const struct timespec *start, long least)
{
    struct timespec now;
    long ms;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
    printf("%s: %s, %s\n", what, r == 0 ? "0" : strerrorname_(r),
           ms < least          ? "too early"
           : ms > least + 5000 ? "far too late"
                               : "in time");
}

static void on_signal(int sig)
{
}

static pthread_t g_main;

static void *poke(void *arg)
{
    usleep(30000);
    pthread_kill(g_main, SIGUSR1);
    return NULL;
}

int main(void)
{
    const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    struct sigaction sa = {.sa_handler = on_signal};
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c = PTHREAD_COND_INITIALIZER;
    struct timespec start;
    struct timespec until;
    pthread_t t;
    sem_t s;
    int word = 0;

    g_main = pthread_self();
    sem_init(&s, 0, 0);
    pthread_mutex_lock(&m);
    pthread_mutex_lock(&locked);
    for (int i = 0; i < 2; i++) {
        for (long ms = -50; ms <= 20; ms += 70) {
            const long least = ms < 0 ? 0 : ms;

            clock_gettime(CLOCK_MONOTONIC, &start);
            until = in(clocks[i], ms);
            report("condition", pthread_cond_clockwait(&c, &m, clocks[i], &until), &start, least);
            clock_gettime(CLOCK_MONOTONIC, &start);
            until = in(clocks[i], ms);
            report("mutex", pthread_mutex_clocklock(&locked, clocks[i], &until), &start, least);
            clock_gettime(CLOCK_MONOTONIC, &start);
            until = in(clocks[i], ms);
            report("semaphore", sem_clockwait(&s, clocks[i], &until) == 0 ? 0 : errno, &start,
                   least);
            clock_gettime(CLOCK_MONOTONIC, &start);
            until = in(clocks[i], ms);
            report("futex",
                   syscall(SYS_futex, &word,
                           FUTEX_WAIT_BITSET | (i == 0 ? FUTEX_CLOCK_REALTIME : 0), 0, &until, NULL,
                           FUTEX_BITSET_MATCH_ANY) == 0
                       ? 0
                       : errno,
                   &start, least);
        }
    }
    /* interrupted: a plain wait goes on or says so, a semaphore says so */
    sigaction(SIGUSR1, &sa, NULL);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_create(&t, NULL, poke, NULL);
    until = in(CLOCK_MONOTONIC, 3000);
    report("semaphore and a signal", sem_clockwait(&s, CLOCK_MONOTONIC, &until) == 0 ? 0 : errno,
           &start, 20);
    pthread_join(t, NULL);
    sa.sa_flags = SA_RESTART;
    sigaction(SIGUSR1, &sa, NULL);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_create(&t, NULL, poke, NULL);
    until = in(CLOCK_MONOTONIC, 100);
    report("restarted futex",
           syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &until, NULL, FUTEX_BITSET_MATCH_ANY) ==
                   0
               ? 0
               : errno,
           &start, 100);
    pthread_join(t, NULL);
    return 0;
}
