/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* usage: limit_ops memory|touch|threads|mappings: meets a limit. test_exec_bad_input.py says which.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE   ((size_t)1 << 20)
#define PIECES  4096
#define THREADS 64

static pthread_barrier_t g_never;

static void *wait_forever(void *arg)
{
    (void)pthread_barrier_wait(&g_never);
    return arg;
}

static void *nothing(void *arg)
{
    return arg;
}

/* Until malloc says no; what is given back can be had again. */
static int memory(void)
{
    static char *pieces[PIECES];
    int n = 0;

    while (n < PIECES && (pieces[n] = malloc(PIECE)) != NULL) {
        memset(pieces[n], n, PIECE);
        n++;
    }
    if (n == PIECES || errno != ENOMEM) {
        return 1;
    }
    for (int i = 0; i < n; i++) {
        if (pieces[i][0] != (char)i || pieces[i][PIECE - 1] != (char)i) {
            return 2;
        }
        free(pieces[i]);
    }
    pieces[0] = malloc(PIECE);
    return pieces[0] == NULL ? 3 : 0;
}

/* A reservation nobody counts, touched to the end. */
static int touch(void)
{
    const size_t size = (size_t)1 << 30;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED) {
        return 1;
    }
    for (size_t i = 0; i < size; i += 4096) {
        ((volatile char *)p)[i] = 1;
    }
    return 0;
}

static int threads(void)
{
    pthread_t t[THREADS];
    int n = 0;
    int r = 0;

    (void)pthread_barrier_init(&g_never, NULL, THREADS + 1);
    while (n < THREADS && (r = pthread_create(&t[n], NULL, wait_forever, NULL)) == 0) {
        n++;
    }
    if (r != EAGAIN || n == 0) {
        return 1;
    }
    return puts("refused, and usable afterwards") < 0 || fflush(stdout) != 0 ? 2 : 0;
}

static int mappings(void)
{
    const struct {
        void *at;
        size_t size;
        int flags;
        int fd;
    } bad[] = {
        {NULL, (size_t)1 << 50, 0, -1},
        {NULL, ~(size_t)0, 0, -1},
        {NULL, 0, 0, -1},
        {(void *)((size_t)1 << 55), 4096, MAP_FIXED, -1},
        {(void *)-4096L, 8192, MAP_FIXED, -1},
        {(void *)4096, 4096, MAP_FIXED_NOREPLACE | MAP_FIXED, -1},
        {(void *)12345, 4096, MAP_FIXED, -1},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        void *p = mmap(bad[i].at, bad[i].size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | bad[i].flags, bad[i].fd, 0);

        if (p != MAP_FAILED) {
            (void)fprintf(stderr, "mapping %zu was made\n", i);
            return 1;
        }
    }
    return puts("all refused") < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    pthread_t t;
    int r = 99;

    if (argc == 2 && strcmp(argv[1], "memory") == 0) {
        r = memory();
        if (r == 0 && (pthread_create(&t, NULL, nothing, NULL) != 0 || pthread_join(t, NULL) != 0 ||
                       puts("refused, and usable afterwards") < 0)) {
            r = 4;
        }
    } else if (argc == 2 && strcmp(argv[1], "touch") == 0) {
        r = touch();
    } else if (argc == 2 && strcmp(argv[1], "threads") == 0) {
        r = threads();
    } else if (argc == 2 && strcmp(argv[1], "mappings") == 0) {
        r = mappings();
    }
    return r;
}
