/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Threads that compute with vectors and x87 while they are interrupted and call: results as alone.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "app.h"

static volatile sig_atomic_t g_ticks;

static void on_signal(int sig)
{
    double x = g_ticks;

    g_ticks = (int)(sqrt(x * x) + 1.5);
}

typedef double v4 __attribute__((vector_size(32)));

static void compute(long seed, double *ret, long double *ret_long, int call)
{
    v4 a = {(double)seed, (double)seed + 1, (double)seed + 2, (double)seed + 3};
    v4 b = {1.0001, 0.9999, 1.0002, 0.9998};
    long double x = 1.0L + (long double)seed;

    for (int i = 0; i < 100000; i++) {
        a = a * b + (v4){0.5, 0.25, 0.125, 0.0625};
        x = x * 0.99999L + 0.3L / (x + 1.0L);
        if (call && i % 1000 == 0) {
            (void)getppid();
        }
        if (i % 500 == 499) {
            a = a / (v4){2, 2, 2, 2};
        }
    }
    *ret = a[0] + a[1] + a[2] + a[3];
    *ret_long = x;
}

static void *work(void *arg)
{
    double want;
    double got;
    long double want_long;
    long double got_long;
    long wrong = 0;

    compute((long)arg, &want, &want_long, 0);
    for (int i = 0; i < 5; i++) {
        compute((long)arg, &got, &got_long, 1);
        wrong += got != want || got_long != want_long;
    }
    return (void *)wrong;
}

int main(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    const struct itimerval every = {{0, 1000}, {0, 1000}};
    pthread_t t[4];
    void *wrong;

    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (long i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, work, (void *)i);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &wrong);
        printf("thread %d: %ld wrong\n", i, (long)wrong);
    }
    printf("interrupted %d\n", g_ticks > 5);
    return 0;
}
