/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* TCP over ::1, when the machine has it. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof(a);
    int l = socket(AF_INET6, SOCK_STREAM, 0);

    if (l < 0 || bind(l, (void *)&a, sizeof(a)) < 0) {
        puts("no IPv6 here");
        return 0;
    }
    SHOW(listen(l, 1));
    SHOW(getsockname(l, (void *)&a, &size));
    SHOW(size);
    int c = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&a, sizeof(a)));
    int s = accept(l, NULL, NULL);
    char b = 0;
    SHOW(write(c, "6", 1));
    SHOW(read(s, &b, 1));
    SHOW(b);
    return 0;
}
