/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* poll over files, pipes and sockets. */
#include <poll.h>
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    int fds[2], s[2];
    struct pollfd p[4];

    pipe(fds);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    p[0] = (struct pollfd){fds[0], POLLIN, 0};
    p[1] = (struct pollfd){s[0], POLLIN | POLLOUT, 0};
    p[2] = (struct pollfd){open("f", O_CREAT | O_RDWR, 0600), POLLIN | POLLOUT, 0};
    p[3] = (struct pollfd){-1, POLLIN, 0};
    SHOW(poll(p, 4, 0));
    printf("%x %x %x %x\n", p[0].revents, p[1].revents, p[2].revents, p[3].revents);
    write(fds[1], "x", 1);
    close(s[1]);
    SHOW(poll(p, 4, -1));
    printf("%x %x %x %x\n", p[0].revents, p[1].revents, p[2].revents, p[3].revents);
    p[3].fd = 99;
    SHOW(poll(p + 3, 1, -1));
    printf("%x\n", p[3].revents);
    SHOW(poll(NULL, 0, 10));
    close(fds[1]);
    char c;
    read(fds[0], &c, 1);
    SHOW(poll(p, 1, -1));
    printf("%x\n", p[0].revents);
    return 0;
}
