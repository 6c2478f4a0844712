/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* membarrier: what it asks for, and that two sides of which one has no fence never both miss the
 * other's store. */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "app.h"

#define ROUNDS 300

static int mb(int command, unsigned flags)
{
    return (int)syscall(SYS_membarrier, command, flags, 0);
}

static volatile int g_x[16];
static volatile int g_y[16];
static volatile int g_seen;
static volatile int g_turn; /* odd: the other side's; negative: over */

/* The cheap side: a store and a load with nothing between them. */
static void *cheap(void *arg)
{
    for (;;) {
        int turn = g_turn;

        if (turn < 0) {
            return arg;
        }
        if ((turn & 1) != 0) {
            g_y[0] = 1;
            __asm__ volatile("" ::: "memory");
            g_seen = g_x[0];
            __atomic_store_n(&g_turn, turn + 1, __ATOMIC_SEQ_CST);
        }
    }
}

static void *sleeper(void *arg)
{
    pause();
    return arg;
}

int main(void)
{
    const int want = MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    pthread_t t;
    pthread_t s;
    int both = 0;

    both = mb(MEMBARRIER_CMD_QUERY, 0);
    printf("offered %d\n", both > 0 && (both & want) == want);
    both = 0;
    SHOW(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
    SHOW(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 7));
    SHOW(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
    SHOW(mb(1 << 30, 0));
    SHOW(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
    SHOW(mb(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
    SHOW(mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
    pthread_create(&s, NULL, sleeper, NULL);
    pthread_create(&t, NULL, cheap, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int y;

        g_x[0] = 0;
        g_y[0] = 0;
        __atomic_store_n(&g_turn, 2 * i + 1, __ATOMIC_SEQ_CST);
        g_x[0] = 1;
        if (mb(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0) {
            printf("round %d: errno %d\n", i, errno);
            return 1;
        }
        y = g_y[0];
        while (g_turn == 2 * i + 1) {
        }
        both += y == 0 && g_seen == 0;
    }
    g_turn = -1;
    pthread_join(t, NULL);
    printf("both missed %d\n", both);
    return 0;
}
