/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* epoll within epoll, EPOLLONESHOT and EPOLLEXCLUSIVE, loops, changes while somebody waits. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "app.h"

static int g_ep;
static int g_woken;

static int ctl(int ep, int op, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.fd = fd};

    return epoll_ctl(ep, op, fd, &e);
}

static int ready(int ep)
{
    struct epoll_event e[8];

    return epoll_wait(ep, e, 8, 0);
}

static void *waiter(void *arg)
{
    struct epoll_event e;

    if (epoll_wait(g_ep, &e, 1, 5000) == 1) {
        __atomic_add_fetch(&g_woken, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

int main(void)
{
    const int inner = epoll_create1(0);
    const int outer = epoll_create1(0);
    const int third = epoll_create1(0);
    int ev = eventfd(0, EFD_NONBLOCK);
    uint64_t one = 1;
    struct epoll_event e[4];
    pthread_t t[4];
    int p[2];

    SHOW(ctl(inner, EPOLL_CTL_ADD, ev, EPOLLIN));
    SHOW(ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN));
    SHOW(ctl(third, EPOLL_CTL_ADD, outer, EPOLLIN | EPOLLET));
    SHOW(ctl(inner, EPOLL_CTL_ADD, third, EPOLLIN)); /* a loop */
    SHOW(ctl(inner, EPOLL_CTL_ADD, inner, EPOLLIN));
    printf("nothing yet %d %d %d\n", ready(inner), ready(outer), ready(third));
    SHOW(write(ev, &one, 8));
    printf("ready %d %d %d\n", ready(inner), ready(outer), ready(third));
    printf("edge seen once %d\n", ready(third));
    SHOW(read(ev, &one, 8));
    printf("gone %d %d %d\n", ready(inner), ready(outer), ready(third));

    SHOW(ctl(inner, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLONESHOT));
    one = 1;
    SHOW(write(ev, &one, 8));
    printf("oneshot %d %d\n", ready(inner), ready(inner));
    SHOW(write(ev, &one, 8));
    printf("disabled %d\n", ready(inner));
    SHOW(ctl(inner, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLONESHOT));
    printf("armed again %d %d\n", ready(inner), ready(inner));

    SHOW(ctl(inner, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(ctl(inner, EPOLL_CTL_DEL, ev, 0));
    SHOW(ctl(inner, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLEXCLUSIVE));
    SHOW(ctl(inner, EPOLL_CTL_MOD, ev, EPOLLIN));
    SHOW(ctl(inner, EPOLL_CTL_DEL, ev, 0));
    SHOW(ctl(inner, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    SHOW(ctl(inner, EPOLL_CTL_DEL, ev, 0));
    SHOW(ctl(inner, EPOLL_CTL_MOD, ev, EPOLLIN));
    SHOW(ctl(inner, EPOLL_CTL_ADD, open("/etc/passwd", O_RDONLY), EPOLLIN));
    SHOW(ctl(inner, 77, ev, EPOLLIN));
    SHOW(ctl(ev, EPOLL_CTL_ADD, inner, EPOLLIN));
    SHOW(epoll_wait(inner, e, 0, 0));
    SHOW(epoll_create(0));

    /* A descriptor added, armed and removed under waiting threads: each write wakes somebody. */
    (void)!read(ev, &one, 8);
    g_ep = inner;
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, waiter, NULL);
    }
    usleep(30000);
    (void)!pipe(p);
    SHOW(ctl(inner, EPOLL_CTL_ADD, p[0], EPOLLIN));
    SHOW(write(p[1], "x", 1)); /* level: all of them, one after the other */
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    printf("woken %d\n", g_woken);
    /* closing the last descriptor removes it */
    SHOW(close(p[0]));
    printf("after close %d\n", ready(inner));
    return 0;
}
