/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* TCP over loopback: connect, accept, options, ends. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, p;
    socklen_t size = sizeof(a);
    char buf[16] = {0};
    int on = 1, v = 0;
    int l = socket(AF_INET, SOCK_STREAM, 0);

    SHOW(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    SHOW(bind(l, (void *)&a, sizeof(a)));
    SHOW(listen(l, 5));
    SHOW(getsockname(l, (void *)&a, &size));
    SHOW(size);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&a, sizeof(a)));
    size = sizeof(p);
    int s = accept4(l, (void *)&p, &size, SOCK_CLOEXEC);
    SHOW(fcntl(s, F_GETFD));
    SHOW(ntohl(p.sin_addr.s_addr) == INADDR_LOOPBACK);
    SHOW(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    size = sizeof(v);
    SHOW(getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, &size));
    SHOW(v != 0);
    SHOW(send(c, "hello", 5, 0));
    SHOW(recv(s, buf, 16, 0));
    puts(buf);
    SHOW(recv(s, buf, 16, MSG_DONTWAIT));
    SHOW(shutdown(c, SHUT_WR));
    SHOW(recv(s, buf, 16, 0));
    close(s);
    SHOW(recv(c, buf, 16, 0));
    size = sizeof(v);
    SHOW(getsockopt(c, SOL_SOCKET, SO_TYPE, &v, &size));
    SHOW(v);
    close(l);
    SHOW(connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
    return 0;
}
