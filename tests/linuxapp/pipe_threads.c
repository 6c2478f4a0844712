/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A megabyte through a pipe between threads. */
#include <pthread.h>

#include "app.h"

static int g_fds[2];

static void *producer(void *arg)
{
    static unsigned char buf[7777];
    long left = 1 << 20;

    for (size_t i = 0; i < sizeof(buf); i++) {
        buf[i] = (unsigned char)(i * 7);
    }
    while (left > 0) {
        ssize_t n = write(g_fds[1], buf, left < (long)sizeof(buf) ? (size_t)left : sizeof(buf));

        left -= n;
    }
    close(g_fds[1]);
    return arg;
}

int main(void)
{
    scratch();
    static unsigned char buf[8192];
    unsigned sum = 0;
    pthread_t t;
    ssize_t n;
    long total = 0;

    SHOW(pipe(g_fds));
    pthread_create(&t, NULL, producer, NULL);
    while ((n = read(g_fds[0], buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            sum = sum * 31 + buf[i];
        }
        total += n;
    }
    pthread_join(t, NULL);
    SHOW(total);
    SHOW(sum);
    return 0;
}
