/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* dup, dup2, dup3, F_DUPFD, close_range. */
/* not: musl it has no close_range */
#include "app.h"

int main(void)
{
    scratch();
    char c;
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    int d = dup(fd);

    SHOW(write(fd, "abc", 3));
    SHOW(lseek(d, 0, SEEK_CUR));
    SHOW(lseek(d, 1, SEEK_SET));
    SHOW(read(fd, &c, 1));
    SHOW(dup2(fd, 50));
    SHOW(dup2(50, 50));
    SHOW(dup3(50, 50, 0));
    SHOW(dup3(fd, 51, O_CLOEXEC));
    SHOW(fcntl(51, F_GETFD));
    SHOW(fcntl(50, F_GETFD));
    SHOW(fcntl(50, F_SETFD, FD_CLOEXEC));
    SHOW(fcntl(50, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, 60));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 60));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(dup2(99, 1000));
    SHOW(dup2(fd, -1));
    SHOW(close_range(50, 100, 0));
    SHOW(fcntl(60, F_GETFD));
    SHOW(close_range(100, 50, 0));
    return 0;
}
