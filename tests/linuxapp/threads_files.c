/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Threads that create, rename and remove at once. */
#include <pthread.h>

#include "app.h"

static int g_errors, g_done;

static void *worker(void *arg)
{
    char a[32], b[32];

    for (int i = 0; i < 100; i++) {
        snprintf(a, sizeof(a), "t%ld-%d", (long)arg, i);
        snprintf(b, sizeof(b), "r%ld-%d", (long)arg, i);
        int fd = open(a, O_CREAT | O_RDWR | O_EXCL, 0600);

        if (fd < 0 || write(fd, a, strlen(a)) != (ssize_t)strlen(a) || close(fd) < 0 ||
            rename(a, b) < 0 || unlink(b) < 0) {
            __atomic_add_fetch(&g_errors, 1, __ATOMIC_SEQ_CST);
        }
        __atomic_add_fetch(&g_done, 1, __ATOMIC_SEQ_CST);
    }
    return arg;
}

int main(void)
{
    scratch();
    pthread_t t[8];

    for (long i = 0; i < 8; i++) {
        pthread_create(&t[i], NULL, worker, (void *)i);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
    }
    SHOW(g_errors);
    SHOW(rmdir("."));
    SHOW(g_done);
    return 0;
}
