/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Several threads on one epoll; each event is handled once. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "app.h"

static int g_ep, g_e, g_handled, g_stop;

static void *worker(void *arg)
{
    struct epoll_event ev;

    while (!__atomic_load_n(&g_stop, __ATOMIC_SEQ_CST)) {
        uint64_t v;

        if (epoll_wait(g_ep, &ev, 1, 20) == 1 && read(g_e, &v, 8) == 8) {
            ev.events = EPOLLIN | EPOLLET | EPOLLONESHOT;
            epoll_ctl(g_ep, EPOLL_CTL_MOD, g_e, &ev);
            __atomic_add_fetch(&g_handled, 1, __ATOMIC_SEQ_CST);
        }
    }
    return arg;
}

int main(void)
{
    scratch();
    pthread_t t[4];
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET | EPOLLONESHOT};
    int done = 0;

    g_ep = epoll_create1(0);
    g_e = eventfd(0, EFD_NONBLOCK);
    epoll_ctl(g_ep, EPOLL_CTL_ADD, g_e, &ev);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, worker, NULL);
    }
    for (int i = 0; i < 50; i++) {
        uint64_t one = 1;

        (void)!write(g_e, &one, 8);
        while (__atomic_load_n(&g_handled, __ATOMIC_SEQ_CST) <= i) {
            usleep(100);
        }
        done++;
    }
    __atomic_store_n(&g_stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    SHOW(done);
    SHOW(g_handled);
    return 0;
}
