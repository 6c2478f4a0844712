/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A thread waits for an OFD lock. */
#include <pthread.h>

#include "app.h"

static int g_got;

static void *waiter(void *arg)
{
    struct flock fl = {.l_type = F_WRLCK};
    int fd = open("f", O_RDWR);

    g_got = fcntl(fd, F_OFD_SETLKW, &fl) == 0;
    return arg;
}

int main(void)
{
    scratch();
    struct flock fl = {.l_type = F_WRLCK};
    pthread_t t;
    int a = open("f", O_CREAT | O_RDWR, 0600);

    SHOW(fcntl(a, F_OFD_SETLK, &fl));
    pthread_create(&t, NULL, waiter, NULL);
    usleep(50000);
    puts("unlocking");
    fflush(stdout);
    fl = (struct flock){.l_type = F_UNLCK};
    SHOW(fcntl(a, F_OFD_SETLK, &fl));
    pthread_join(t, NULL);
    puts(g_got ? "got it" : "no");
    return 0;
}
