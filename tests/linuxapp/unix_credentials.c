/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Credentials over AF_UNIX: SO_PASSCRED, SCM_CREDENTIALS given and made up, SO_PEERCRED. */
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

static void receive(int s, const char *what)
{
    char data[16];
    char control[256];
    struct iovec v = {data, sizeof(data)};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s, &h, MSG_DONTWAIT);
    const struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&h);

    printf("%s: %zd", what, n);
    for (; c != NULL; c = CMSG_NXTHDR(&h, (struct cmsghdr *)c)) {
        struct ucred u;

        if (c->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&u, CMSG_DATA(c), sizeof(u));
            printf(" credentials pid %s uid %d gid %d",
                   u.pid == getpid() ? "own"
                   : u.pid == 0      ? "0"
                                     : "?",
                   u.uid == geteuid(), u.gid == getegid());
        } else {
            printf(" other control data");
        }
    }
    printf(" flags %x\n", h.msg_flags);
}

static int send_as(int s, pid_t pid, uid_t uid)
{
    struct ucred u = {pid, uid, getgid()};
    char control[CMSG_SPACE(sizeof(u))] __attribute__((aligned(8))) = {0};
    struct iovec v = {"data", 4};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_CREDENTIALS;
    c->cmsg_len = CMSG_LEN(sizeof(u));
    memcpy(CMSG_DATA(c), &u, sizeof(u));
    return (int)sendmsg(s, &h, 0);
}

int main(void)
{
    const int one = 1;
    int on = -1;
    socklen_t size = sizeof(on);
    struct ucred u;
    int s[2];

    for (int i = 0; i < 2; i++) {
        SHOW(socketpair(AF_UNIX, i == 0 ? SOCK_STREAM : SOCK_DGRAM, 0, s));
        size = sizeof(on);
        SHOW(getsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, &size));
        SHOW(send(s[1], "a", 1, 0));
        receive(s[0], "not asked for");
        SHOW(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
        SHOW(getsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, &size));
        printf("on %d\n", on);
        SHOW(send(s[1], "b", 1, 0));
        receive(s[0], "asked for");
        SHOW(send_as(s[1], getpid(), getuid()));
        receive(s[0], "given");
        SHOW(send_as(s[0], getpid(), getuid()));
        receive(s[1], "given, not asked for");
        size = sizeof(u);
        SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &size));
        printf("peer: pid %d uid %d gid %d\n", u.pid == getpid(), u.uid == geteuid(),
               u.gid == getegid());
        SHOW(setsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, size));
        SHOW(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &one, 1));
        close(s[0]);
        close(s[1]);
    }
    s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    size = sizeof(u);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &size));
    printf("without a peer: pid %d uid %d\n", u.pid, (int)u.uid);
    return 0;
}
