/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <pthread.h>
#include <stdio.h>

static __thread int mine = 5;
static int total;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg)
{
    const long n = (long)arg;

    mine += (int)n;
    pthread_mutex_lock(&lock);
    total += mine;
    pthread_mutex_unlock(&lock);
    return (void *)(n * 2);
}

int main(void)
{
    pthread_t t[40];
    long sum = 0;

    for (int round = 0; round < 10; round++) {
        for (long i = 0; i < 40; i++) {
            if (pthread_create(&t[i], NULL, work, (void *)i) != 0) {
                printf("create %ld failed\n", i);
                return 1;
            }
        }
        for (int i = 0; i < 40; i++) {
            void *r;

            pthread_join(t[i], &r);
            sum += (long)r;
        }
    }
    printf("sum %ld total %d own %d\n", sum, total, mine);
    return 0;
}
