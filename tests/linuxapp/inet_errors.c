/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Errors of connections: refused, in use, not connected, asynchronous ones through SO_ERROR and
 * poll. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "app.h"

static struct sockaddr_in at(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, ip, &a.sin_addr);
    return a;
}

static int con(int s, struct sockaddr_in a)
{
    return connect(s, (struct sockaddr *)&a, sizeof(a));
}

static int bnd(int s, struct sockaddr_in a)
{
    return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static int so_error(int s)
{
    int e = -1;
    socklen_t size = sizeof(e);

    getsockopt(s, SOL_SOCKET, SO_ERROR, &e, &size);
    return e;
}

static int port_of(int s)
{
    struct sockaddr_in a;
    socklen_t size = sizeof(a);

    getsockname(s, (struct sockaddr *)&a, &size);
    return ntohs(a.sin_port);
}

int main(void)
{
    struct sockaddr_in a;
    struct pollfd p;
    socklen_t size;
    char c;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    int s;
    int closed;

    SHOW(bnd(l, at("127.0.0.1", 0)));
    closed = port_of(l);
    close(l);
    s = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(con(s, at("127.0.0.1", closed)));
    SHOW(write(s, "x", 1) < 0 && (errno == EPIPE || errno == ENOTCONN) ? 0 : -1);
    close(s);
    s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(con(s, at("127.0.0.1", closed)) < 0 && (errno == EINPROGRESS || errno == ECONNREFUSED)
             ? 0
             : -1);
    p = (struct pollfd){.fd = s, .events = POLLOUT};
    SHOW(poll(&p, 1, 2000));
    printf("error %d, once %d\n", so_error(s), so_error(s));
    close(s);

    s = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(read(s, &c, 1));
    SHOW(send(s, "x", 1, MSG_NOSIGNAL));
    SHOW(shutdown(s, SHUT_RD));
    size = sizeof(a);
    SHOW(getpeername(s, (struct sockaddr *)&a, &size));
    SHOW(accept(s, NULL, NULL));
    SHOW(bnd(s, at("127.0.0.1", 0)));
    SHOW(bnd(s, at("127.0.0.1", 0)));
    l = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bnd(l, at("127.0.0.1", port_of(s))));
    SHOW(bnd(l, at("192.0.2.77", 0)));
    SHOW(connect(l, (struct sockaddr *)&a, 3));
    a.sin_family = 77;
    SHOW(connect(l, (struct sockaddr *)&a, sizeof(a)));
    SHOW(bind(l, (struct sockaddr *)&a, sizeof(a)));
    SHOW(bind(l, NULL, 16));
    SHOW(listen(l, 5));
    SHOW(listen(l, 5));
    SHOW(con(s, at("127.0.0.1", port_of(l))));
    SHOW(con(s, at("127.0.0.1", port_of(l))));
    SHOW(con(l, at("127.0.0.1", port_of(l))));

    s = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(con(s, at("127.0.0.1", closed)));
    SHOW(send(s, "x", 1, 0));
    usleep(20000);
    SHOW(recv(s, &c, 1, MSG_DONTWAIT));
    SHOW(recv(s, &c, 1, MSG_DONTWAIT));
    SHOW(listen(s, 1));
    SHOW(accept(s, NULL, NULL));
    a.sin_family = AF_UNSPEC;
    SHOW(connect(s, (struct sockaddr *)&a, sizeof(a))); /* dissolves it */
    SHOW(send(s, "x", 1, 0));
    SHOW(socket(AF_INET, 99, 0));
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(77, SOCK_STREAM, 0));
    SHOW(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0}));
    SHOW(getsockname(0, (struct sockaddr *)&a, &size) < 0 ? -1 : 0);
    return 0;
}
