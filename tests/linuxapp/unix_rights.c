/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Descriptors and credentials through a socket. */
#include <sys/socket.h>

#include "app.h"

int main(void)
{
    scratch();
    int s[2], fds[2];
    char byte = 'x', buf[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buf, .msg_controllen = sizeof(buf)};
    struct ucred cred;
    socklen_t size = sizeof(cred);

    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(fds);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_len = CMSG_LEN(sizeof(int));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(c), &fds[1], sizeof(int));
    SHOW(sendmsg(s[0], &m, 0));
    close(fds[1]);
    memset(buf, 0, sizeof(buf));
    SHOW(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC));
    c = CMSG_FIRSTHDR(&m);
    int got;
    memcpy(&got, CMSG_DATA(c), sizeof(int));
    SHOW(c->cmsg_type);
    SHOW(fcntl(got, F_GETFD));
    SHOW(write(got, "through", 7));
    char text[8] = {0};
    SHOW(read(fds[0], text, 7));
    puts(text);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &size));
    SHOW(cred.pid == getpid());
    int on = 1;
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    SHOW(write(s[0], "c", 1));
    char big[CMSG_SPACE(sizeof(cred))];
    m.msg_control = big;
    m.msg_controllen = sizeof(big);
    SHOW(recvmsg(s[1], &m, 0));
    c = CMSG_FIRSTHDR(&m);
    SHOW(c != NULL && c->cmsg_type == SCM_CREDENTIALS);
    return 0;
}
