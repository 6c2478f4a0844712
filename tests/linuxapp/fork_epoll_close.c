/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* A child waits with epoll at a socket it shares with its parent: changes it does not wait for (the
 * parent makes room by reading) must not hide the one it does (the parent closes). */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "app.h"

static int child(int s, int with_edge)
{
    struct epoll_event ev = {.events = EPOLLIN | (with_edge ? EPOLLET : 0)};
    char buf[16] = {0};
    int ep = epoll_create1(0);

    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);
    int n = epoll_wait(ep, &ev, 1, 5000);

    if (n != 1 || read(s, buf, sizeof(buf)) != 5 || write(s, "answer", 6) != 6) {
        return 1;
    }
    (void)epoll_wait(ep, &ev, 1, 0);
    n = epoll_wait(ep, &ev, 1, 5000);
    return n == 1 && read(s, buf, sizeof(buf)) == 0 ? 9 : 2;
}

int main(void)
{
    for (int edge = 0; edge < 2; edge++) {
        for (int type = 0; type < 2; type++) {
            char buf[16] = {0};
            int s[2];
            int status = 0;

            SHOW(socketpair(AF_UNIX, type ? SOCK_SEQPACKET : SOCK_STREAM, 0, s));
            pid_t pid = fork();

            if (pid == 0) {
                close(s[0]);
                _exit(child(s[1], edge));
            }
            close(s[1]);
            SHOW(write(s[0], "hello", 5));
            SHOW(read(s[0], buf, sizeof(buf)));
            puts(buf);
            usleep(50000);
            close(s[0]);
            waitpid(pid, &status, 0);
            SHOW(WEXITSTATUS(status));
        }
    }
    return 0;
}
