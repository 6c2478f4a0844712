/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A non-blocking connect with epoll. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    struct epoll_event ev = {.events = EPOLLOUT}, out;
    int v = 1;
    int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    bind(l, (void *)&a, sizeof(a));
    listen(l, 5);
    getsockname(l, (void *)&a, &size);
    SHOW(accept(l, NULL, NULL));
    int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int ep = epoll_create1(0);
    SHOW(connect(c, (void *)&a, sizeof(a)));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, c, &ev));
    SHOW(epoll_wait(ep, &out, 1, 2000));
    size = sizeof(v);
    SHOW(getsockopt(c, SOL_SOCKET, SO_ERROR, &v, &size));
    SHOW(v);
    ev.events = EPOLLIN;
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev));
    SHOW(epoll_wait(ep, &out, 1, 2000));
    int s = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    SHOW(s >= 0);
    char b;
    SHOW(read(s, &b, 1));
    SHOW(write(c, "z", 1));
    struct pollfd p = {s, POLLIN, 0};
    SHOW(poll(&p, 1, 2000));
    SHOW(read(s, &b, 1));
    return 0;
}
