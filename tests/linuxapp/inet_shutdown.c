/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* shutdown in every order, half-closed connections, and what each side may still do. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "app.h"

static void pair(int family, int s[2])
{
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
    socklen_t size = family == AF_INET ? sizeof(a4) : sizeof(a6);
    int l;

    if (family == AF_UNIX) {
        (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, s);
        return;
    }
    l = socket(family, SOCK_STREAM, 0);
    bind(l, a, size);
    listen(l, 1);
    getsockname(l, a, &size);
    s[0] = socket(family, SOCK_STREAM, 0);
    connect(s[0], a, size);
    s[1] = accept(l, NULL, NULL);
    close(l);
}

static void *blocked_reader(void *arg)
{
    char c;

    return (void *)recv(*(int *)arg, &c, 1, 0);
}

static void orders(int family)
{
    char c;
    void *woken;
    pthread_t t;
    int s[2];

    printf("-- family %d\n", family);
    pair(family, s);
    SHOW(shutdown(s[0], SHUT_WR));
    SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
    SHOW(recv(s[1], &c, 1, 0));
    SHOW(send(s[1], "yz", 2, 0));
    SHOW(recv(s[0], &c, 1, 0));
    SHOW(shutdown(s[0], SHUT_WR));
    SHOW(shutdown(s[0], SHUT_RD));
    SHOW(recv(s[0], &c, 1, 0)); /* what had come stays */
    SHOW(recv(s[0], &c, 1, 0));
    SHOW(shutdown(s[0], 7));
    close(s[0]);
    close(s[1]);

    pair(family, s);
    SHOW(send(s[0], "abc", 3, 0));
    SHOW(shutdown(s[0], SHUT_RDWR));
    SHOW(recv(s[1], &c, 1, 0));
    SHOW(recv(s[1], &c, 1, 0));
    SHOW(recv(s[1], &c, 1, 0));
    SHOW(recv(s[1], &c, 1, 0));
    SHOW(recv(s[0], &c, 1, 0));
    close(s[0]);
    close(s[1]);

    pair(family, s);
    pthread_create(&t, NULL, blocked_reader, &s[0]);
    usleep(30000);
    SHOW(shutdown(s[0], SHUT_RD)); /* wakes it */
    pthread_join(t, &woken);
    printf("the reader got %ld\n", (long)woken);
    close(s[0]);
    close(s[1]);
}

int main(void)
{
    orders(AF_INET);
    orders(AF_INET6);
    orders(AF_UNIX);
    SHOW(shutdown(0, SHUT_RD) < 0 ? -1 : 0);
    SHOW(shutdown(socket(AF_INET, SOCK_STREAM, 0), SHUT_RD));
    SHOW(shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_RD));
    SHOW(shutdown(socket(AF_INET, SOCK_DGRAM, 0), SHUT_RD));
    return 0;
}
