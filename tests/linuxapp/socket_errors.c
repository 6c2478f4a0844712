/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What sockets refuse. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_in a = {.sin_family = AF_INET};
    int v;
    socklen_t size = sizeof(v);
    int s = socket(AF_INET, SOCK_STREAM, 0);

    SHOW(socket(99, SOCK_STREAM, 0));
    SHOW(socket(AF_UNIX, 77, 0));
    SHOW(socket(AF_UNIX, SOCK_STREAM, 99));
    SHOW(accept(s, NULL, NULL));
    SHOW(listen(0, 1));
    SHOW(bind(99, (void *)&a, sizeof(a)));
    SHOW(bind(s, (void *)8, sizeof(a)));
    SHOW(getsockopt(s, SOL_SOCKET, 9999, &v, &size));
    SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 1));
    SHOW(getpeername(s, (void *)&a, &size));
    SHOW(shutdown(s, SHUT_RD));
    SHOW(shutdown(s, 9));
    SHOW(send(s, "x", 1, MSG_NOSIGNAL));
    SHOW(lseek(s, 0, SEEK_SET));
    return 0;
}
