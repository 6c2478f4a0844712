/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A timer that is set, moved and stopped by another thread while one waits for it with epoll. */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "app.h"

static int g_timer;
static long g_ns;

static void *set_it(void *arg)
{
    const struct itimerspec t = {.it_value.tv_nsec = g_ns};

    usleep(30000); /* the other one sleeps by now */
    timerfd_settime(g_timer, 0, &t, NULL);
    return NULL;
}

static void wait_once(const char *what, int ep, uint64_t now_s, long set_ns, int timeout)
{
    const struct itimerspec t = {.it_value.tv_sec = (time_t)now_s};
    struct epoll_event ev;
    pthread_t other;
    uint64_t n;

    timerfd_settime(g_timer, 0, &t, NULL);
    g_ns = set_ns;
    pthread_create(&other, NULL, set_it, NULL);
    printf("%s: %d\n", what, epoll_wait(ep, &ev, 1, timeout));
    pthread_join(other, NULL);
    (void)!read(g_timer, &n, sizeof(n));
}

int main(void)
{
    static const uint32_t modes[] = {0, EPOLLET, EPOLLEXCLUSIVE};

    for (int i = 0; i < 3; i++) {
        struct epoll_event ev = {.events = EPOLLIN | modes[i]};
        const int outer = epoll_create1(0);
        const int ep = epoll_create1(0);

        g_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        epoll_ctl(ep, EPOLL_CTL_ADD, g_timer, &ev);
        wait_once("set while waiting", ep, 0, 20000000, 20000);
        wait_once("moved nearer", ep, 1000, 20000000, 20000);
        wait_once("stopped", ep, 0, 0, 100);
        ev.events = EPOLLIN;
        epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev);
        wait_once("through another epoll", outer, 0, 20000000, 20000);
        close(g_timer);
        close(ep);
        close(outer);
    }
    return 0;
}
