/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Abstract names and seqpacket. */
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_un a = {AF_UNIX, "\0nacre-abstract"};
    socklen_t size = 2 + 15;
    char buf[8];
    int l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    int c = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    SHOW(bind(l, (void *)&a, size));
    SHOW(bind(c, (void *)&a, size));
    SHOW(listen(l, 1));
    SHOW(connect(c, (void *)&a, size));
    int s = accept(l, NULL, NULL);
    SHOW(send(c, "abcdef", 6, 0));
    SHOW(send(c, "gh", 2, 0));
    SHOW(recv(s, buf, 3, 0));
    SHOW(recv(s, buf, 8, 0));
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(connect(stream, (void *)&a, size));
    close(c);
    SHOW(recv(s, buf, 8, 0));
    return 0;
}
