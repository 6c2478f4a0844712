/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Open file description locks: between two opens of one file, over dup, ranges, waiting. */
#include <pthread.h>

#include "app.h"

static int g_fd;
static volatile int g_got;

static int lock(int fd, int cmd, short type, off_t start, off_t len)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

    return fcntl(fd, cmd, &l);
}

static void probe(int fd, off_t start, off_t len)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

    if (fcntl(fd, F_OFD_GETLK, &l) < 0) {
        perror("getlk");
    }
    printf("at %ld+%ld: %s", (long)start, (long)len,
           l.l_type == F_UNLCK   ? "free"
           : l.l_type == F_RDLCK ? "read lock"
                                 : "write lock");
    if (l.l_type != F_UNLCK) {
        printf(" %ld+%ld pid %d", (long)l.l_start, (long)l.l_len, l.l_pid);
    }
    printf("\n");
}

static void *waiter(void *arg)
{
    SHOW(lock(g_fd, F_OFD_SETLKW, F_WRLCK, 0, 0));
    g_got = 1;
    return NULL;
}

int main(void)
{
    struct flock with_pid = {.l_type = F_WRLCK, .l_pid = 1};
    pthread_t t;
    int a;
    int b;
    int d;

    scratch();
    a = open("f", O_CREAT | O_RDWR, 0600);
    b = open("f", O_RDWR);
    d = dup(a);
    SHOW(lock(a, F_OFD_SETLK, F_WRLCK, 10, 10));
    SHOW(lock(d, F_OFD_SETLK, F_WRLCK, 10, 10)); /* the same description */
    SHOW(lock(b, F_OFD_SETLK, F_WRLCK, 15, 1));
    SHOW(lock(b, F_OFD_SETLK, F_RDLCK, 20, 10));
    probe(b, 0, 0);
    probe(b, 0, 10);
    probe(a, 0, 0);
    SHOW(lock(a, F_OFD_SETLK, F_RDLCK, 12, 4)); /* splits in three */
    probe(b, 10, 2);
    probe(b, 13, 1);
    probe(b, 16, 100);
    SHOW(lock(a, F_OFD_SETLK, F_UNLCK, 11, 7));
    probe(b, 11, 7);
    probe(b, 10, 1);
    SHOW(fcntl(a, F_OFD_SETLK, &with_pid));
    SHOW(lock(a, F_OFD_SETLK, 77, 0, 1));
    SHOW(lock(a, F_OFD_SETLK, F_WRLCK, -5, 1));
    /* a lock of the process meets those of descriptions */
    SHOW(lock(b, F_SETLK, F_WRLCK, 10, 1));
    SHOW(close(a));
    SHOW(lock(b, F_SETLK, F_WRLCK, 10, 1)); /* the dup still holds it */
    g_fd = d;
    pthread_create(&t, NULL, waiter, NULL);
    usleep(30000);
    printf("waits %d\n", !g_got);
    int closed = close(b); /* printed once the other thread cannot print as well */

    pthread_join(t, NULL);
    printf("close(b) %d, got it %d\n", closed, g_got);
    SHOW(close(d));
    b = open("f", O_RDWR);
    probe(b, 0, 0);
    return 0;
}
