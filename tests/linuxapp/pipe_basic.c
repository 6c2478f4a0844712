/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Pipes: order, end, sizes. */
#include <sys/ioctl.h>

#include "app.h"

int main(void)
{
    scratch();
    static char big[100000];
    int fds[2];
    char buf[16] = {0};
    int n = 0;

    SHOW(pipe(fds));
    SHOW(write(fds[1], "one", 3));
    SHOW(write(fds[1], "two", 3));
    SHOW(ioctl(fds[0], FIONREAD, &n));
    SHOW(n);
    SHOW(read(fds[0], buf, 4));
    SHOW(read(fds[0], buf, 4));
    SHOW(fcntl(fds[0], F_GETPIPE_SZ));
    SHOW(fcntl(fds[1], F_SETFL, O_NONBLOCK));
    SHOW(write(fds[1], big, sizeof(big)));
    SHOW(write(fds[1], big, 1));
    SHOW(lseek(fds[0], 0, SEEK_SET));
    SHOW(pread(fds[0], buf, 1, 0));
    SHOW(close(fds[1]));
    SHOW(read(fds[0], big, sizeof(big)));
    SHOW(read(fds[0], big, sizeof(big)));
    SHOW(pipe2(fds, 0x1234567));
    return 0;
}
