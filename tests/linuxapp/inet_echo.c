/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* An echo server thread and four clients. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "app.h"

static struct sockaddr_in g_addr;
static int g_listen, g_good;

static void *serve(void *arg)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = g_listen};
    int ep = epoll_create1(0);
    int left = 4;
    char buf[256];

    epoll_ctl(ep, EPOLL_CTL_ADD, g_listen, &ev);
    while (left > 0) {
        if (epoll_wait(ep, &ev, 1, 5000) != 1) {
            break;
        }
        if (ev.data.fd == g_listen) {
            ev.data.fd = accept(g_listen, NULL, NULL);
            ev.events = EPOLLIN;
            epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
            continue;
        }
        ssize_t n = read(ev.data.fd, buf, sizeof(buf));

        if (n <= 0) {
            close(ev.data.fd);
            left--;
        } else {
            (void)!write(ev.data.fd, buf, (size_t)n);
        }
    }
    return arg;
}

static void *client(void *arg)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    char buf[64];

    connect(s, (void *)&g_addr, sizeof(g_addr));
    for (int i = 0; i < 100; i++) {
        int n = snprintf(buf, sizeof(buf), "message %d", i);
        char back[64] = {0};

        (void)!write(s, buf, (size_t)n);
        if (recv(s, back, (size_t)n, MSG_WAITALL) == n && memcmp(buf, back, (size_t)n) == 0) {
            __atomic_add_fetch(&g_good, 1, __ATOMIC_SEQ_CST);
        }
    }
    close(s);
    return arg;
}

int main(void)
{
    scratch();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    pthread_t server, t[4];

    g_listen = socket(AF_INET, SOCK_STREAM, 0);
    bind(g_listen, (void *)&a, sizeof(a));
    listen(g_listen, 16);
    getsockname(g_listen, (void *)&g_addr, &size);
    pthread_create(&server, NULL, serve, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_create(&t[i], NULL, client, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
    }
    pthread_join(server, NULL);
    SHOW(g_good);
    return 0;
}
