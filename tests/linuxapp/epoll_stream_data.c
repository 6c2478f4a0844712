/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Data of TCP streams watched by an epoll: every way to look at it, to leave it and to share it. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "app.h"

static int g_listener;

/* A connected pair; the accepted end is what the cases watch. */
static void pair(int *ret_client, int *ret_server)
{
    struct sockaddr_in a;
    socklen_t size = sizeof(a);

    getsockname(g_listener, (void *)&a, &size);
    *ret_client = socket(AF_INET, SOCK_STREAM, 0);
    connect(*ret_client, (void *)&a, size);
    *ret_server = accept(g_listener, NULL, NULL);
}

static int watch(int fd, uint32_t events)
{
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = events, .data.fd = fd};

    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    return ep;
}

static int ready(int ep)
{
    struct epoll_event ev[4];
    int n = epoll_wait(ep, ev, 4, 1000);

    return n == 1 ? (int)ev[0].events : -n;
}

static void text(int c, const char *s)
{
    (void)!write(c, s, strlen(s));
    usleep(2000);
}

static void show_recv(int s, size_t size, int flags)
{
    char buf[64] = {0};
    ssize_t n = recv(s, buf, size, flags);

    printf("recv %zu %#x: %zd %s %s\n", size, (unsigned)flags, n, n < 0 ? strerrorname_(errno) : "",
           buf);
}

static void levels(void)
{
    int c, s, n = 0;

    pair(&c, &s);
    int ep = watch(s, EPOLLIN);

    text(c, "one two three");
    SHOW(ready(ep));
    show_recv(s, 4, 0);
    SHOW(ready(ep)); /* the rest */
    SHOW(ioctl(s, FIONREAD, &n));
    SHOW(n);
    show_recv(s, 4, MSG_PEEK);
    text(c, " four");
    show_recv(s, 40, MSG_PEEK);
    struct pollfd p = {.fd = s, .events = POLLIN};

    SHOW(poll(&p, 1, 0));
    show_recv(s, 40, MSG_DONTWAIT);
    show_recv(s, 40, MSG_DONTWAIT);
    text(c, "left");
    SHOW(ready(ep));
    SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, s, NULL));
    int other = watch(s, EPOLLIN);

    SHOW(ready(other));
    show_recv(s, 2, 0);
    text(c, "-more");
    show_recv(s, 7, MSG_WAITALL);
    text(c, "end");
    close(c);
    usleep(2000);
    show_recv(s, 40, 0);
    show_recv(s, 40, 0);
    close(s);
    close(ep);
    close(other);
}

/* More than one answer carries; read as programs do that stop at a short read. */
static void edges(void)
{
    static char big[20000], buf[6000];
    int c, s;
    size_t got = 0;
    int rounds = 0;

    pair(&c, &s);
    fcntl(s, F_SETFL, O_NONBLOCK);
    int ep = watch(s, EPOLLIN | EPOLLET | EPOLLRDHUP);

    memset(big, 'x', sizeof(big));
    (void)!write(c, big, sizeof(big));
    while (got < sizeof(big) && rounds++ < 100 && ready(ep) > 0) {
        ssize_t n;

        do {
            n = recv(s, buf, sizeof(buf), 0);
            got += n > 0 ? (size_t)n : 0;
        } while (n == sizeof(buf));
    }
    SHOW(got);
    struct epoll_event ev;

    SHOW(epoll_wait(ep, &ev, 1, 0)); /* nothing new */
    close(c);
    SHOW((ready(ep) & EPOLLRDHUP) != 0);
    show_recv(s, 10, 0);
    close(s);
    close(ep);
}

static int g_shared;

static void *reader(void *arg)
{
    size_t sum = 0;
    unsigned char last = 0;
    int ordered = 1;
    unsigned char buf[512];
    ssize_t n;

    while ((n = recv(g_shared, buf, sizeof(buf), 0)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            ordered &= buf[i] == (unsigned char)(last + 1);
            last = buf[i];
        }
        sum += (size_t)n;
    }
    printf("reader: %zu bytes, in order %d\n", sum, ordered);
    return arg;
}

/* One thread waits, another one reads: what comes must stay in order. */
static void two_threads(void)
{
    unsigned char next = 1;
    unsigned char buf[700];
    pthread_t t;
    int c, s;

    pair(&c, &s);
    int ep = watch(s, EPOLLIN);

    g_shared = s;
    for (int i = 0; i < 400; i++) {
        for (size_t k = 0; k < sizeof(buf); k++) {
            buf[k] = next++;
        }
        (void)!write(c, buf, sizeof(buf));
        if (i == 20) {
            pthread_create(&t, NULL, reader, NULL);
        }
        struct epoll_event ev;

        (void)epoll_wait(ep, &ev, 1, i % 3 == 0 ? 1 : 0);
    }
    shutdown(c, SHUT_WR);
    pthread_join(t, NULL);
    close(c);
    close(s);
    close(ep);
}

static void *closer(void *arg)
{
    usleep(20000);
    close(g_shared);
    return arg;
}

static void ends(void)
{
    pthread_t t;
    int c, s;

    pair(&c, &s);
    int ep = watch(s, EPOLLIN);

    text(c, "never read");
    SHOW(ready(ep));
    close(s); /* unread data: a reset */
    usleep(2000);
    show_recv(c, 10, 0);
    close(c);
    pair(&c, &s);
    struct epoll_event ev = {.events = EPOLLIN};

    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
    g_shared = s;
    pthread_create(&t, NULL, closer, NULL);
    SHOW(epoll_wait(ep, &ev, 1, 100)); /* closed by another thread meanwhile */
    pthread_join(t, NULL);
    show_recv(c, 10, 0);
    close(c);
    pair(&c, &s);
    const struct linger reset = {.l_onoff = 1};

    ev.events = EPOLLIN;
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
    text(c, "before the reset");
    SHOW(ready(ep));
    setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    show_recv(s, 6, 0);
    close(s);
    close(c);
    close(ep);
}

static void low_water(void)
{
    int c, s, low = 8;

    pair(&c, &s);
    SHOW(setsockopt(s, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)));
    int ep = watch(s, EPOLLIN);
    struct epoll_event ev;

    text(c, "four");
    SHOW(epoll_wait(ep, &ev, 1, 20));
    text(c, "more");
    SHOW(ready(ep));
    show_recv(s, 20, 0);
    close(c);
    close(s);
    close(ep);
}

static void corked(void)
{
    int c, s, on = 1, off = 0, value = -1;
    socklen_t size = sizeof(value);

    pair(&c, &s);
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
    SHOW(getsockopt(c, IPPROTO_TCP, TCP_CORK, &value, &size));
    SHOW(value);
    text(c, "held ");
    text(c, "back");
    show_recv(s, 20, MSG_DONTWAIT);
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)));
    usleep(2000);
    show_recv(s, 20, MSG_DONTWAIT);
    SHOW(getsockopt(c, IPPROTO_TCP, TCP_CORK, &value, &size));
    SHOW(value);
    text(c, "at once");
    show_recv(s, 20, MSG_DONTWAIT);
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
    text(c, "at the end");
    close(c);
    usleep(2000);
    show_recv(s, 20, 0);
    close(s);
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    g_listener = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(g_listener, (void *)&a, sizeof(a)));
    SHOW(listen(g_listener, 8));
    levels();
    edges();
    two_threads();
    ends();
    low_water();
    corked();
    return 0;
}
