/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* AF_UNIX datagrams. */
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_un a = {AF_UNIX, "./d"}, from;
    socklen_t size = sizeof(from);
    char buf[8];
    int rx = socket(AF_UNIX, SOCK_DGRAM, 0);
    int tx = socket(AF_UNIX, SOCK_DGRAM, 0);

    SHOW(bind(rx, (void *)&a, sizeof(a)));
    SHOW(sendto(tx, "datagram", 8, 0, (void *)&a, sizeof(a)));
    SHOW(sendto(tx, "", 0, 0, (void *)&a, sizeof(a)));
    SHOW(recvfrom(rx, buf, 4, MSG_TRUNC, (void *)&from, &size));
    SHOW(size);
    SHOW(recv(rx, buf, 8, 0));
    SHOW(recv(rx, buf, 8, MSG_DONTWAIT));
    SHOW(send(tx, "x", 1, 0));
    SHOW(connect(tx, (void *)&a, sizeof(a)));
    SHOW(send(tx, "x", 1, 0));
    SHOW(recv(rx, buf, 8, 0));
    SHOW(listen(rx, 1));
    close(rx);
    SHOW(send(tx, "x", 1, 0));
    return 0;
}
