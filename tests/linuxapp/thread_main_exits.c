/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* The first thread leaves with pthread_exit; the others go on, and the last one's end is exit(0).
 */
#include <pthread.h>

#include "app.h"

static pthread_t g_main;

static void at_exit(void)
{
    puts("atexit ran");
    (void)fflush(stdout);
}

static void *last(void *arg)
{
    void *result = NULL;

    printf("join main: %d\n", pthread_join(g_main, &result));
    printf("main's result %ld\n", (long)result);
    printf("still the process of pid %d: %d\n", 0, getpid() == (pid_t)(long)arg);
    usleep(20000);
    puts("the last one ends");
    return NULL;
}

static void *early(void *arg)
{
    return NULL;
}

int main(void)
{
    pthread_t t;

    g_main = pthread_self();
    (void)atexit(at_exit);
    pthread_create(&t, NULL, last, (void *)(long)getpid());
    pthread_create(&t, NULL, early, NULL);
    pthread_detach(t);
    pthread_exit((void *)42);
}
