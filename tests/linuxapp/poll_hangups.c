/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* What poll says when the other side goes: pipes, fifos, stream and datagram sockets, ends of
 * files. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "app.h"

static void show(const char *what, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP | POLLPRI};

    if (poll(&p, 1, 100) < 0) {
        perror("poll");
    }
    printf("%s:%s%s%s%s%s%s%s\n", what, p.revents & POLLIN ? " in" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLRDHUP ? " rdhup" : "",
           p.revents & POLLHUP ? " hup" : "", p.revents & POLLERR ? " err" : "",
           p.revents & POLLNVAL ? " nval" : "", p.revents & POLLPRI ? " pri" : "");
}

static void tcp(int ret[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    bind(l, (struct sockaddr *)&a, sizeof(a));
    listen(l, 1);
    getsockname(l, (struct sockaddr *)&a, &size);
    show("listening, nobody there", l);
    ret[0] = socket(AF_INET, SOCK_STREAM, 0);
    show("not connected", ret[0]);
    connect(ret[0], (struct sockaddr *)&a, sizeof(a));
    show("listening, somebody there", l);
    ret[1] = accept(l, NULL, NULL);
    close(l);
}

int main(void)
{
    int s[2];
    int p[2];
    int f;

    scratch();
    (void)!pipe(p);
    show("pipe, read end", p[0]);
    show("pipe, write end", p[1]);
    (void)!write(p[1], "x", 1);
    show("pipe with data", p[0]);
    close(p[1]);
    show("data and no writer", p[0]);
    (void)!read(p[0], s, 1);
    show("no writer", p[0]);
    close(p[0]);
    show("closed", p[0]);
    show("negative", -1);
    (void)!pipe(p);
    close(p[0]);
    show("no reader", p[1]);
    (void)mkfifo("fifo", 0600);
    f = open("fifo", O_RDONLY | O_NONBLOCK);
    show("fifo that never had a writer", f);
    close(open("fifo", O_WRONLY));
    show("fifo whose writer left", f);

    for (int type = 0; type < 3; type++) {
        static const char *const names[] = {"stream", "datagram", "seqpacket"};

        printf("-- %s\n", names[type]);
        (void)!socketpair(AF_UNIX, (int[]){SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}[type], 0, s);
        show("fresh", s[0]);
        (void)!write(s[1], "hello", 5);
        show("data", s[0]);
        shutdown(s[1], SHUT_WR);
        show("data, the peer stopped writing", s[0]);
        (void)!read(s[0], p, 5);
        show("the peer stopped writing", s[0]);
        shutdown(s[0], SHUT_WR);
        show("both stopped", s[0]);
        close(s[1]);
        show("the peer is gone", s[0]);
        close(s[0]);
    }
    puts("-- tcp");
    tcp(s);
    show("fresh", s[0]);
    (void)!write(s[1], "hello", 5);
    show("data", s[0]);
    shutdown(s[1], SHUT_WR);
    usleep(20000);
    show("data and end", s[0]);
    (void)!read(s[0], p, 5);
    show("end", s[0]);
    shutdown(s[0], SHUT_WR);
    usleep(20000);
    show("both ended", s[0]);
    show("both ended, other side", s[1]);
    f = open("/etc/passwd", O_RDONLY);
    show("a file", f);
    show("a directory", open("/", O_RDONLY));
    show("/dev/null", open("/dev/null", O_RDWR));
    show("eventfd", eventfd(0, 0));
    show("full eventfd", eventfd(0xfffffffe, 0));
    return 0;
}
