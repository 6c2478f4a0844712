/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* ioctl on files, pipes and terminals that are none. */
#include <sys/ioctl.h>

#include "app.h"

int main(void)
{
    scratch();
    int n = 0;
    struct winsize w;
    int fd = open("f", O_CREAT | O_RDWR, 0600);

    write(fd, "12345", 5);
    lseek(fd, 2, SEEK_SET);
    SHOW(ioctl(fd, FIONREAD, &n));
    SHOW(n);
    SHOW(ioctl(fd, TIOCGWINSZ, &w));
    SHOW(isatty(fd));
    SHOW(ioctl(fd, FIOCLEX));
    SHOW(fcntl(fd, F_GETFD));
    SHOW(ioctl(fd, FIONCLEX));
    SHOW(fcntl(fd, F_GETFD));
    n = 1;
    SHOW(ioctl(fd, FIONBIO, &n));
    SHOW((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    SHOW(ioctl(fd, 0x12345678, &n));
    SHOW(ioctl(99, FIONREAD, &n));
    return 0;
}
