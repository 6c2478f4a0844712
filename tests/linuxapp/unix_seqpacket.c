/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* SOCK_SEQPACKET: record borders, listening and connecting, MSG_EOR, zero-length records, the end.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

int main(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"};
    struct sockaddr_un peer;
    socklen_t size = sizeof(peer);
    char buf[64];
    struct iovec v = {buf, 4};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    struct pollfd p;
    int l;
    int c;
    int s;

    scratch();
    l = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
    SHOW(bind(l, (struct sockaddr *)&a, sizeof(a)));
    SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
    SHOW(send(c, "x", 1, 0));
    SHOW(listen(l, 2));
    SHOW(bind(c, (struct sockaddr *)&a, sizeof(a)));
    SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
    SHOW(connect(c, (struct sockaddr *)&a, sizeof(a)));
    SHOW((s = accept(l, (struct sockaddr *)&peer, &size)) >= 0);
    printf("peer has no name %d\n", size == 2);
    SHOW(send(c, "first", 5, MSG_EOR));
    SHOW(send(c, "second record", 13, 0));
    SHOW(send(c, "", 0, 0));
    SHOW(send(c, "last", 4, MSG_DONTWAIT));
    memset(buf, '.', sizeof(buf));
    SHOW(recvmsg(s, &h, MSG_PEEK));
    printf("%.4s truncated %d eor %d\n", buf, (h.msg_flags & MSG_TRUNC) != 0,
           (h.msg_flags & MSG_EOR) != 0);
    SHOW(recv(s, buf, sizeof(buf), 0));
    SHOW(recv(s, buf, 6, MSG_TRUNC));
    printf("%.6s\n", buf);
    SHOW(recv(s, buf, sizeof(buf), 0));
    SHOW(recv(s, buf, sizeof(buf), 0));
    printf("%.4s\n", buf);
    SHOW(recv(s, buf, sizeof(buf), MSG_DONTWAIT));
    SHOW(sendto(s, "back", 4, 0, (struct sockaddr *)&a, sizeof(a)));
    SHOW(recv(c, buf, sizeof(buf), 0));
    SHOW(shutdown(c, SHUT_WR));
    p = (struct pollfd){.fd = s, .events = POLLIN | POLLRDHUP};
    SHOW(poll(&p, 1, 1000));
    SHOW(recv(s, buf, sizeof(buf), 0));
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    SHOW(send(s, "still", 5, 0));
    SHOW(close(s));
    SHOW(recv(c, buf, sizeof(buf), 0));
    SHOW(recv(c, buf, sizeof(buf), 0));
    SHOW(send(l, "x", 1, MSG_NOSIGNAL));
    SHOW(accept(c, NULL, NULL));
    SHOW(fcntl(l, F_SETFL, O_NONBLOCK));
    SHOW(accept(l, NULL, NULL));
    return 0;
}
