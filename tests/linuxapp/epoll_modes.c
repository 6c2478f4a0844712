/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Level, edge, one shot. */
#include <sys/epoll.h>

#include "app.h"

int main(void)
{
    scratch();
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 5}, out[4];
    int fds[2];
    char c;
    int ep = epoll_create1(EPOLL_CLOEXEC);

    SHOW(pipe(fds));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &ev));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(write(fds[1], "ab", 2));
    SHOW(epoll_wait(ep, out, 4, -1));
    SHOW(out[0].data.u32);
    SHOW(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLET;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLONESHOT;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(epoll_wait(ep, out, 4, 0));
    SHOW(read(fds[0], &c, 1));
    close(fds[1]);
    ev.events = EPOLLIN;
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, fds[0], &ev));
    SHOW(epoll_wait(ep, out, 4, 0));
    printf("%x\n", out[0].events);
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL));
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, fds[0], NULL));
    int f = open("f", O_CREAT | O_RDWR, 0600);
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, f, &ev));
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    SHOW(epoll_wait(ep, out, 0, 0));
    SHOW(epoll_wait(f, out, 1, 0));
    return 0;
}
