/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static __thread char zero[5000];
static __thread int init[3] = {1, 2, 3};
static __thread uint64_t aligned __attribute__((aligned(64)));
static pthread_key_t key;
static int destroyed;

static void destroy(void *p)
{
    __atomic_add_fetch(&destroyed, (int)(long)p, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
    int bad = 0;

    for (size_t i = 0; i < sizeof(zero); i++) {
        bad += zero[i] != 0;
    }
    bad += init[0] != 1 || init[2] != 3 || (uintptr_t)&aligned % 64 != 0;
    memset(zero, 1, sizeof(zero));
    init[0] = 99;
    pthread_setspecific(key, (void *)1);
    return (void *)(long)bad;
}

int main(void)
{
    long bad = 0;

    pthread_key_create(&key, destroy);
    for (int i = 0; i < 20; i++) {
        pthread_t t[4];

        for (int k = 0; k < 4; k++) {
            pthread_create(&t[k], NULL, work, NULL);
        }
        for (int k = 0; k < 4; k++) {
            void *r;

            pthread_join(t[k], &r);
            bad += (long)r;
        }
    }
    printf("bad %ld destroyed %d main's own %d\n", bad, destroyed, init[0]);
    return 0;
}
