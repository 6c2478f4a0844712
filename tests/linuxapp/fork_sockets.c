/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Unix sockets between processes: pairs, named servers, datagrams, descriptors, credentials; an
 * eventfd that was inherited, a FIFO by name. */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app.h"

static char g_buf[300000];

static ssize_t read_all(int fd, char *p, size_t size)
{
    size_t have = 0;
    ssize_t n;

    while (have < size && (n = read(fd, p + have, size - have)) > 0) {
        have += (size_t)n;
    }
    return (ssize_t)have;
}

static void pair(void)
{
    int s[2];

    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pid_t pid = start();

    if (pid == 0) {
        (void)close(s[0]);
        ssize_t n = read_all(s[1], g_buf, 200000);

        for (ssize_t i = 0; i < n; i++) {
            g_buf[i]++;
        }
        (void)!write(s[1], g_buf, (size_t)n);
        _exit(n == 200000 ? 0 : 1);
    }
    (void)close(s[1]);
    memset(g_buf, 'a', 200000);
    SHOW(write(s[0], g_buf, 200000));
    SHOW(read_all(s[0], g_buf, sizeof(g_buf)));
    printf("%c %c\n", g_buf[0], g_buf[199999]);
    SHOW(read(s[0], g_buf, 1));
    SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
    (void)close(s[0]);
    reap(pid);
}

static void server(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "server"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    pid_t pids[3];
    int sum = 0;

    SHOW(bind(listener, (struct sockaddr *)&a, sizeof(a)));
    SHOW(listen(listener, 5));
    for (int i = 0; i < 3; i++) {
        pids[i] = start();
        if (pids[i] == 0) {
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            struct ucred cred;
            socklen_t size = sizeof(cred);
            int value = i + 1;

            (void)close(listener);
            if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
                _exit(9);
            }
            (void)!write(fd, &value, sizeof(value));
            (void)!read(fd, &value, sizeof(value));
            (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
            _exit(value == 10 * (i + 1) && cred.pid == getppid() ? 0 : 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int fd = accept(listener, NULL, NULL);
        int value = 0;

        (void)!read(fd, &value, sizeof(value));
        sum += value;
        value *= 10;
        (void)!write(fd, &value, sizeof(value));
        (void)close(fd);
    }
    printf("sum %d\n", sum);
    for (int i = 0; i < 3; i++) {
        reap(pids[i]);
    }
    (void)close(listener);
    SHOW(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
    SHOW(unlink("server"));
}

/* The child is the server this time. */
static void child_server(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "in-child"};
    int up[2];
    char c;

    (void)pipe(up);
    pid_t pid = start();

    if (pid == 0) {
        int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);

        (void)bind(listener, (struct sockaddr *)&a, sizeof(a));
        (void)listen(listener, 1);
        (void)!write(up[1], "u", 1);
        int fd = accept(listener, NULL, NULL);

        for (;;) {
            ssize_t n = read(fd, g_buf, 100);

            if (n <= 0) {
                _exit((int)-n);
            }
            (void)!write(fd, g_buf, (size_t)n);
        }
    }
    (void)!read(up[0], &c, 1);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    SHOW(connect(fd, (struct sockaddr *)&a, sizeof(a)));
    SHOW(write(fd, "first", 5));
    SHOW(write(fd, "second one", 10));
    SHOW(read(fd, g_buf, 100));
    SHOW(read(fd, g_buf, 100));
    (void)close(fd);
    reap(pid);
    (void)close(up[0]);
    (void)close(up[1]);
}

static void datagrams(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "mailbox"};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    SHOW(bind(fd, (struct sockaddr *)&a, sizeof(a)));
    pid_t pid = start();

    if (pid == 0) {
        int own = socket(AF_UNIX, SOCK_DGRAM, 0);

        for (int i = 1; i <= 3; i++) {
            (void)sendto(own, "letters", (size_t)(2 * i), 0, (struct sockaddr *)&a, sizeof(a));
        }
        _exit(0);
    }
    for (int i = 0; i < 3; i++) {
        SHOW(poll(&p, 1, 5000));
        SHOW(recv(fd, g_buf, 100, 0));
    }
    reap(pid);
    (void)close(fd);
}

/* The peer leaves in the middle of a long send: what went is the answer, and no signal comes; the
 * next send has both. */
static volatile sig_atomic_t g_signals;

static void count_signal(int signo)
{
    g_signals++;
}

static void *read_some_and_leave(void *arg)
{
    const int fd = *(const int *)arg;

    (void)read_all(fd, (char[1000]){0}, 1000);
    (void)usleep(50000);
    (void)close(fd);
    return NULL;
}

static void left_in_the_middle(void)
{
    struct iovec all[8];
    pthread_t reader;
    int s[2];
    ssize_t n;

    (void)signal(SIGPIPE, count_signal);
    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    (void)pthread_create(&reader, NULL, read_some_and_leave, &s[1]);
    for (int i = 0; i < 8; i++) { /* longer than any buffer */
        all[i] = (struct iovec){g_buf, sizeof(g_buf)};
    }
    n = sendmsg(s[0], &(struct msghdr){.msg_iov = all, .msg_iovlen = 8}, 0);
    printf("a part went %d, signals %d\n", n > 0 && n < 8 * (ssize_t)sizeof(g_buf), g_signals);
    SHOW(send(s[0], "x", 1, 0));
    printf("signals %d\n", g_signals);
    SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
    printf("signals %d\n", g_signals);
    (void)pthread_join(reader, NULL);
    (void)close(s[0]);
    (void)fflush(stdout);
}

static void left_in_the_middle_twice(void)
{
    const pid_t pid = start();

    if (pid == 0) {
        left_in_the_middle();
        _exit(0);
    }
    reap(pid);
    left_in_the_middle();
}

static int send_fd(int sock, int fd)
{
    char data = 'd';
    struct iovec iov = {.iov_base = &data, .iov_len = 1};
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return (int)sendmsg(sock, &m, 0);
}

static int receive_fd(int sock)
{
    char data;
    struct iovec iov = {.iov_base = &data, .iov_len = 1};
    union {
        struct cmsghdr align;
        char b[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.b,
                       .msg_controllen = sizeof(control.b)};
    int fd = -1;

    if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m) != NULL) {
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    }
    return fd;
}

static void descriptors(void)
{
    int s[2];
    int p[2];

    (void)socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pid_t pid = start();

    if (pid == 0) {
        int fd = open("passed", O_CREAT | O_RDWR, 0644);

        (void)close(s[0]);
        (void)!write(fd, "0123456789", 10);
        (void)lseek(fd, 4, SEEK_SET);
        (void)send_fd(s[1], fd);
        (void)close(fd);
        fd = receive_fd(s[1]); /* the writing end of a pipe */
        (void)!write(fd, "through a passed pipe", 21);
        _exit(fd < 0);
    }
    (void)close(s[1]);
    int fd = receive_fd(s[0]);

    SHOW(read(fd, g_buf, 3));
    printf("%.3s\n", g_buf);
    (void)pipe(p);
    SHOW(send_fd(s[0], p[1]));
    (void)close(p[1]);
    ssize_t n = read_all(p[0], g_buf, 100);

    printf("%.*s\n", (int)n, g_buf);
    reap(pid);
    (void)close(fd);
    (void)close(p[0]);
    (void)close(s[0]);
}

static void counter(void)
{
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t value = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    pid_t pid = start();

    if (pid == 0) {
        value = 5;
        (void)!write(fd, &value, sizeof(value));
        (void)!write(fd, &value, sizeof(value));
        _exit(0);
    }
    reap(pid);
    SHOW(poll(&p, 1, 1000));
    SHOW(read(fd, &value, sizeof(value)));
    printf("value %llu\n", (unsigned long long)value);
    (void)close(fd);
}

static void fifo(void)
{
    SHOW(mkfifo("fifo", 0644));
    pid_t pid = start();

    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);

        (void)!write(fd, "by name", 7);
        _exit(fd < 0);
    }
    int fd = open("fifo", O_RDONLY);
    ssize_t n = read_all(fd, g_buf, 100);

    printf("fifo: %.*s\n", (int)n, g_buf);
    (void)close(fd);
    reap(pid);
    pid = start();
    if (pid == 0) {
        fd = open("fifo", O_RDONLY);
        n = read_all(fd, g_buf, 100);
        printf("fifo in the child: %.*s\n", (int)n, g_buf);
        (void)fflush(stdout);
        _exit(0);
    }
    fd = open("fifo", O_WRONLY);
    SHOW(write(fd, "back", 4));
    (void)fflush(stdout);
    (void)close(fd);
    reap(pid);
}

int main(void)
{
    scratch();
    pair();
    server();
    child_server();
    datagrams();
    descriptors();
    counter();
    fifo();
    left_in_the_middle_twice();
    return 0;
}
