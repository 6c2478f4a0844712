/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* The futex operations libraries use, and their error codes. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t g_a;
static uint32_t g_b;
static uint32_t g_started;

static long futex(uint32_t *u, int op, uint32_t v, void *t, uint32_t *u2, uint32_t v3)
{
    return syscall(SYS_futex, u, op | FUTEX_PRIVATE_FLAG, v, t, u2, v3);
}

static void *waiter(void *arg)
{
    __atomic_add_fetch(&g_started, 1, __ATOMIC_SEQ_CST);
    futex(&g_a, FUTEX_WAIT_BITSET, 0, NULL, NULL, (uint32_t)(uintptr_t)arg);
    return NULL;
}

static void show(const char *what, long r)
{
    if (r < 0) {
        printf("%s: %s\n", what, strerror(errno));
    } else {
        printf("%s: %ld\n", what, r);
    }
}

static void start(pthread_t *t, int n, uint32_t bits)
{
    g_started = 0;
    for (int i = 0; i < n; i++) {
        pthread_create(&t[i], NULL, waiter, (void *)(uintptr_t)bits);
    }
    while (__atomic_load_n(&g_started, __ATOMIC_SEQ_CST) != (uint32_t)n) {
        usleep(1000);
    }
    usleep(50000);
}

int main(void)
{
    struct timespec t = {0, 10000000};
    struct timespec bad = {0, -1};
    pthread_t threads[6];

    show("wrong value", futex(&g_a, FUTEX_WAIT, 1, NULL, NULL, 0));
    show("timeout", futex(&g_a, FUTEX_WAIT, 0, &t, NULL, 0));
    show("bad timeout", futex(&g_a, FUTEX_WAIT, 0, &bad, NULL, 0));
    show("unaligned", futex((uint32_t *)((char *)&g_a + 1), FUTEX_WAIT, 0, NULL, NULL, 0));
    show("null", futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0));
    show("no bits", futex(&g_a, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    show("unknown", futex(&g_a, 99, 0, NULL, NULL, 0));
    show("wake nobody", futex(&g_a, FUTEX_WAKE, 10, NULL, NULL, 0));

    start(threads, 3, 2);
    show("wake other bits", futex(&g_a, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4));
    show("wake one", futex(&g_a, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2));
    show("wake the rest", futex(&g_a, FUTEX_WAKE, 10, NULL, NULL, 0));
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }

    start(threads, 5, 1);
    show("requeue compare fails", futex(&g_a, FUTEX_CMP_REQUEUE, 1, (void *)10, &g_b, 9));
    show("requeue", futex(&g_a, FUTEX_CMP_REQUEUE, 1, (void *)10, &g_b, 0));
    show("nobody is left", futex(&g_a, FUTEX_WAKE, 10, NULL, NULL, 0));
    show("they moved", futex(&g_b, FUTEX_WAKE, 10, NULL, NULL, 0));
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
    }

    start(threads, 2, 1);
    g_b = 5;
    show("wake op", futex(&g_a, FUTEX_WAKE_OP, 1, (void *)1, &g_b,
                          FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
    printf("b %u\n", g_b);
    futex(&g_a, FUTEX_WAKE, 10, NULL, NULL, 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    return 0;
}
