/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* UDP: addresses, truncation, timeouts. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, p;
    socklen_t size = sizeof(a);
    struct timeval tv = {0, 20000};
    char buf[8];
    int rx = socket(AF_INET, SOCK_DGRAM, 0);
    int tx = socket(AF_INET, SOCK_DGRAM, 0);

    SHOW(bind(rx, (void *)&a, sizeof(a)));
    SHOW(getsockname(rx, (void *)&a, &size));
    SHOW(sendto(tx, "0123456789", 10, 0, (void *)&a, sizeof(a)));
    size = sizeof(p);
    SHOW(recvfrom(rx, buf, 8, 0, (void *)&p, &size));
    SHOW(size);
    SHOW(ntohl(p.sin_addr.s_addr) == INADDR_LOOPBACK);
    SHOW(setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    SHOW(recv(rx, buf, 8, 0));
    SHOW(send(tx, "x", 1, 0));
    SHOW(connect(tx, (void *)&a, sizeof(a)));
    SHOW(send(tx, "x", 1, 0));
    SHOW(recv(rx, buf, 8, 0));
    return 0;
}
