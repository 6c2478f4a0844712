/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* AF_UNIX streams by path. */
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

int main(void)
{
    scratch();
    struct sockaddr_un a = {AF_UNIX, "./sock"}, peer;
    socklen_t size = sizeof(peer);
    char buf[16] = {0};
    int l = socket(AF_UNIX, SOCK_STREAM, 0);
    int c = socket(AF_UNIX, SOCK_STREAM, 0);

    SHOW(connect(c, (void *)&a, sizeof(a)));
    SHOW(bind(l, (void *)&a, sizeof(a)));
    SHOW(connect(c, (void *)&a, sizeof(a)));
    SHOW(listen(l, 5));
    SHOW(connect(c, (void *)&a, sizeof(a)));
    int s = accept(l, (void *)&peer, &size);
    SHOW(size);
    SHOW(write(c, "ping", 4));
    SHOW(read(s, buf, 16));
    puts(buf);
    SHOW(shutdown(c, SHUT_WR));
    SHOW(read(s, buf, 16));
    SHOW(send(s, "pong", 4, 0));
    SHOW(recv(c, buf, 16, MSG_PEEK));
    SHOW(recv(c, buf, 2, MSG_WAITALL));
    SHOW(recv(c, buf, 16, MSG_DONTWAIT));
    SHOW(recv(c, buf, 16, MSG_DONTWAIT));
    close(s);
    SHOW(recv(c, buf, 16, 0));
    SHOW(send(c, "x", 1, MSG_NOSIGNAL));
    size = sizeof(peer);
    SHOW(getsockname(l, (void *)&peer, &size));
    puts(peer.sun_path);
    struct stat st;
    stat("sock", &st);
    SHOW(S_ISSOCK(st.st_mode));
    OK(open("sock", O_RDONLY));
    SHOW(unlink("sock"));
    SHOW(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof(a)));
    return 0;
}
