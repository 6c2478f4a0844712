/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* One epoll over thousands of descriptors: one call reports all of them. */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include "app.h"

#define CROWD 3000

int main(void)
{
    static int fd[CROWD];
    static struct epoll_event out[CROWD];
    struct epoll_event ev = {.events = EPOLLIN};
    struct rlimit limit;
    uint64_t one = 1;
    int ep = epoll_create1(0);

    SHOW(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = CROWD + 100;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    for (int i = 0; i < CROWD; i++) {
        ev.data.u32 = (uint32_t)i;
        fd[i] = eventfd(0, 0);
        if (fd[i] < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev) < 0) {
            printf("%d: errno %d\n", i, errno);
            return 1;
        }
    }
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, fd[CROWD / 2], &ev));
    SHOW(epoll_wait(ep, out, CROWD, 0));
    SHOW(write(fd[CROWD - 3], &one, sizeof(one)));
    SHOW(epoll_wait(ep, out, CROWD, 1000));
    SHOW(out[0].data.u32);
    for (int i = 0; i < CROWD; i++) {
        if (write(fd[i], &one, sizeof(one)) != sizeof(one)) {
            return 3;
        }
    }
    SHOW(epoll_wait(ep, out, CROWD, 1000));
    for (int i = 0; i < CROWD; i += 2) {
        if (epoll_ctl(ep, EPOLL_CTL_DEL, fd[i], NULL) < 0) {
            return 2;
        }
    }
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
    SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1], &ev));
    for (int i = 0; i < CROWD; i++) {
        close(fd[i]);
    }
    SHOW(epoll_wait(ep, out, CROWD, 0));
    return 0;
}
