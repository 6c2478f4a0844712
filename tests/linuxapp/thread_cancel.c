/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int cleaned;
static int ready; /* threads that stand where they are to be cancelled, or just before */

static void cleanup(void *arg)
{
    __atomic_add_fetch(&cleaned, *(int *)arg, __ATOMIC_SEQ_CST);
}

static void *blocked(void *arg)
{
    int one = 1;
    char c;

    pthread_cleanup_push(cleanup, &one);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    (void)!read(*(int *)arg, &c, 1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *computing(void *arg)
{
    int ten = 10;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cleanup_push(cleanup, &ten);
    __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
    for (volatile unsigned long i = 0;; i++) {
    }
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void)
{
    const struct timespec pause = {.tv_nsec = 30000000};
    pthread_t a;
    pthread_t b;
    void *r;
    int fds[2];

    if (pipe(fds) != 0) {
        return 1;
    }
    pthread_create(&a, NULL, blocked, &fds[0]);
    pthread_create(&b, NULL, computing, NULL);
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 2) {
        nanosleep(&pause, NULL);
    }
    printf("cancel %d %d\n", pthread_cancel(a), pthread_cancel(b));
    pthread_join(a, &r);
    printf("blocked was cancelled %d\n", r == PTHREAD_CANCELED);
    pthread_join(b, &r);
    printf("computing was cancelled %d\n", r == PTHREAD_CANCELED);
    printf("cleaned %d\n", cleaned);
    return 0;
}
