/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* fcntl beyond locks: duplicates, status flags, pipe sizes, owners, leases; dup3, pipe2,
 * close_range. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "app.h"

int main(void)
{
    int p[2];
    int s[2];
    int fd;

    scratch();
    fd = open("f", O_CREAT | O_RDWR | O_APPEND, 0600);
    printf("%d\n",
           (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND));
    SHOW(fcntl(fd, F_SETFL, O_NONBLOCK | O_CREAT | O_TRUNC | O_WRONLY)); /* most cannot change */
    printf("%d\n",
           (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
    SHOW(fcntl(fd, F_DUPFD, 100));
    SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    SHOW(fcntl(101, F_GETFD));
    SHOW(fcntl(100, F_GETFD));
    SHOW(fcntl(fd, F_DUPFD, -1));
    SHOW(fcntl(fd, F_DUPFD, 1 << 30));
    SHOW(dup3(fd, 100, O_CLOEXEC));
    SHOW(fcntl(100, F_GETFD));
    SHOW(dup3(fd, fd, 0));
    SHOW(dup3(fd, 100, O_NONBLOCK));
    SHOW(dup2(fd, fd) == fd);
    SHOW(dup2(-1, 100));
    SHOW(dup2(fd, -1));
    SHOW(fcntl(fd, 9999));
    SHOW(fcntl(99, F_GETFD));

    SHOW(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    printf("%d %d\n", fcntl(p[0], F_GETFD), (fcntl(p[1], F_GETFL) & O_NONBLOCK) != 0);
    SHOW(pipe2(p, 0x40000000));
    SHOW(pipe2(NULL, 0));
    SHOW(fcntl(p[0], F_GETPIPE_SZ));
    SHOW(fcntl(p[0], F_SETPIPE_SZ, 5000));
    SHOW(fcntl(p[1], F_GETPIPE_SZ));
    SHOW(write(p[1], "x", 1));
    SHOW(fcntl(p[0], F_SETPIPE_SZ, 0));
    SHOW(fcntl(fd, F_GETPIPE_SZ));

    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    SHOW(fcntl(s[0], F_SETOWN, getpid()));
    SHOW(fcntl(s[0], F_GETOWN) == getpid());
    SHOW(fcntl(s[0], F_SETSIG, SIGUSR1));
    SHOW(fcntl(s[0], F_GETSIG));
    SHOW(fcntl(s[0], F_SETSIG, 99));

    for (int i = 200; i < 220; i++) {
        dup2(fd, i);
    }
    SHOW(syscall(SYS_close_range, 205, 209, 0));
    SHOW(fcntl(205, F_GETFD));
    SHOW(fcntl(210, F_GETFD));
    SHOW(syscall(SYS_close_range, 210, 212, 4 /* CLOSE_RANGE_CLOEXEC */));
    SHOW(fcntl(212, F_GETFD));
    SHOW(fcntl(213, F_GETFD));
    SHOW(syscall(SYS_close_range, 220, 210, 0));
    SHOW(syscall(SYS_close_range, 210, 220, 64));
    SHOW(syscall(SYS_close_range, 200, ~0u, 0));
    SHOW(fcntl(219, F_GETFD));
    SHOW(close(219));
    return 0;
}
