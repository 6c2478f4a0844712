/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* execve and exit of a process whose other threads compute, sleep and wait: they are gone at once,
 * whatever they do. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

static int g_pipe[2];
static atomic_int g_there;
static atomic_ulong g_count;

static void *compute(void *arg)
{
    atomic_fetch_add(&g_there, 1);
    for (;;) {
        atomic_fetch_add(&g_count, 1);
    }
    return arg;
}

static void *sleep_long(void *arg)
{
    atomic_fetch_add(&g_there, 1);
    for (;;) {
        pause();
    }
    return arg;
}

static void *wait_for_byte(void *arg)
{
    char byte;

    atomic_fetch_add(&g_there, 1);
    return read(g_pipe[0], &byte, 1) == 1 ? arg : NULL;
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    const int round = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    void *(*const kinds[])(void *) = {compute, sleep_long, wait_for_byte};
    char next[8];
    char when[32];

    if (argc > 2) {
        printf("round %d, in time %d\n", round, now() - strtod(argv[2], NULL) < 3);
    }
    fflush(stdout);
    if (pipe(g_pipe) < 0) {
        return 1;
    }
    for (int i = 0; i < 6; i++) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, kinds[i % 3], NULL) != 0) {
            return 1;
        }
    }
    while (atomic_load(&g_there) < 6) {
        sched_yield();
    }
    if (round == 3) {
        return 7; /* exit_group, the same */
    }
    snprintf(next, sizeof(next), "%d", round + 1);
    snprintf(when, sizeof(when), "%.6f", now());
    execl("/proc/self/exe", "exec_threads", next, when, NULL);
    perror("execl");
    return 1;
}
