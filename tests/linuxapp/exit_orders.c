/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void at_exit(void)
{
    printf("atexit ran\n");
}

static void *sleeper(void *arg)
{
    for (;;) {
        pause();
    }
    return NULL;
}

static void *spinner(void *arg)
{
    for (volatile unsigned long i = 0;; i++) {
    }
    return NULL;
}

static void *reader(void *arg)
{
    char c;
    int *fds = arg;

    while (read(fds[0], &c, 1) < 0) {
    }
    return NULL;
}

static void *ender(void *arg)
{
    usleep(50000);
    printf("exit from a thread\n");
    exit(17);
}

/* The main thread leaves first; others sleep, compute and read; one of them ends everything. */
int main(void)
{
    pthread_t t;
    static int fds[2];

    setvbuf(stdout, NULL, _IOLBF, 0);
    atexit(at_exit);
    if (pipe(fds) != 0) {
        return 1;
    }
    pthread_create(&t, NULL, sleeper, NULL);
    pthread_create(&t, NULL, spinner, NULL);
    pthread_create(&t, NULL, reader, fds);
    pthread_create(&t, NULL, ender, NULL);
    printf("main leaves\n");
    pthread_exit(NULL);
}
