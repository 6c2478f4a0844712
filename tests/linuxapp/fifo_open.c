/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* FIFOs wait for the other side. */
#include <pthread.h>

#include "app.h"

static void *opener(void *arg)
{
    int fd = open("p", O_WRONLY);

    (void)!write(fd, "late", 4);
    close(fd);
    return arg;
}

int main(void)
{
    scratch();
    char buf[8] = {0};
    pthread_t t;

    SHOW(mkfifo("p", 0600));
    SHOW(mkfifo("p", 0600));
    OK(open("p", O_WRONLY | O_NONBLOCK));
    int rd = open("p", O_RDONLY | O_NONBLOCK);
    SHOW(read(rd, buf, 8));
    int wr = open("p", O_WRONLY | O_NONBLOCK);
    SHOW(write(wr, "hi", 2));
    SHOW(read(rd, buf, 8));
    close(rd);
    close(wr);
    pthread_create(&t, NULL, opener, NULL);
    rd = open("p", O_RDONLY);
    SHOW(read(rd, buf, 8));
    puts(buf);
    pthread_join(t, NULL);
    SHOW(read(rd, buf, 8));
    return 0;
}
