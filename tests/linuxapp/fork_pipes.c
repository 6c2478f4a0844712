/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Pipes between processes: order, sizes, atomicity, ends, readiness, signals. */

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "app.h"

#define BIG 300000

static unsigned char g_buf[BIG];

static void bulk(void)
{
    int p[2];
    size_t got = 0;
    unsigned sum = 0;
    ssize_t n;

    (void)pipe(p);
    pid_t pid = start();

    if (pid == 0) {
        (void)close(p[0]);
        for (size_t i = 0; i < BIG; i++) {
            g_buf[i] = (unsigned char)(i * 31);
        }
        n = write(p[1], g_buf, BIG);
        _exit(n == BIG ? 0 : 1);
    }
    (void)close(p[1]);
    while ((n = read(p[0], g_buf, 65536)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            sum = sum * 33 + g_buf[i];
        }
        got += (size_t)n;
    }
    printf("bulk: %zu bytes, sum %u, end %zd\n", got, sum, n);
    (void)close(p[0]);
    reap(pid);
}

/* Eight processes write records of PIPE_BUF bytes: none is torn. */
static void many_writers(void)
{
    int p[2];
    int torn = 0;
    int count[8] = {0};
    pid_t pids[8];
    char record[4096];
    size_t have = 0;
    ssize_t n;

    (void)pipe(p);
    for (int w = 0; w < 8; w++) {
        pids[w] = start();
        if (pids[w] == 0) {
            (void)close(p[0]);
            memset(record, 'a' + w, sizeof(record));
            for (int i = 0; i < 20; i++) {
                if (write(p[1], record, sizeof(record)) != (ssize_t)sizeof(record)) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    (void)close(p[1]);
    while ((n = read(p[0], record + have, sizeof(record) - have)) > 0) {
        have += (size_t)n;
        if (have == sizeof(record)) {
            for (size_t i = 1; i < have; i++) {
                torn += record[i] != record[0];
            }
            count[(record[0] - 'a') & 7]++;
            have = 0;
        }
    }
    for (int w = 0; w < 8; w++) {
        printf("writer %d: %d\n", w, count[w]);
    }
    printf("torn %d, left %zu\n", torn, have);
    (void)close(p[0]);
    for (int w = 0; w < 8; w++) {
        reap(pids[w]);
    }
}

static void ping_pong(void)
{
    int a[2];
    int b[2];
    int value = 0;

    (void)pipe(a);
    (void)pipe(b);
    pid_t pid = start();

    if (pid == 0) {
        (void)close(a[1]);
        (void)close(b[0]);
        while (read(a[0], &value, sizeof(value)) == sizeof(value)) {
            value++;
            (void)!write(b[1], &value, sizeof(value));
        }
        _exit(0);
    }
    (void)close(a[0]);
    (void)close(b[1]);
    for (int i = 0; i < 100; i++) {
        (void)!write(a[1], &value, sizeof(value));
        (void)!read(b[0], &value, sizeof(value));
    }
    printf("ping-pong: %d\n", value);
    (void)close(a[1]);
    SHOW(read(b[0], &value, sizeof(value)));
    (void)close(b[0]);
    reap(pid);
}

/* A pipe between two children, as a shell makes it. */
static void pipeline(void)
{
    int p[2];
    int q[2];
    char buf[64] = {0};
    ssize_t n;

    (void)pipe(p);
    (void)pipe(q);
    pid_t a = start();

    if (a == 0) {
        (void)dup2(p[1], 1);
        (void)close(p[0]);
        (void)close(p[1]);
        (void)close(q[0]);
        (void)close(q[1]);
        (void)!write(1, "through the pipeline", 20);
        _exit(3);
    }
    pid_t b = start();

    if (b == 0) {
        (void)close(p[1]);
        (void)close(q[0]);
        while ((n = read(p[0], buf, sizeof(buf))) > 0) {
            for (ssize_t i = 0; i < n; i++) {
                buf[i] = (char)(buf[i] >= 'a' && buf[i] <= 'z' ? buf[i] - 32 : buf[i]);
            }
            (void)!write(q[1], buf, (size_t)n);
        }
        _exit(4);
    }
    (void)close(p[0]);
    (void)close(p[1]);
    (void)close(q[1]);
    size_t have = 0;

    while ((n = read(q[0], buf + have, sizeof(buf) - 1 - have)) > 0) {
        have += (size_t)n;
    }
    buf[have] = '\0';
    printf("pipeline: %s\n", buf);
    (void)close(q[0]);
    reap(a);
    reap(b);
}

static volatile sig_atomic_t g_pipe_signals;

static void on_pipe(int signo)
{
    g_pipe_signals++;
}

static void ends(void)
{
    int p[2];
    int go[2];
    char c;

    (void)pipe(p);
    (void)pipe(go);
    pid_t pid = start();

    if (pid == 0) {
        struct sigaction sa = {.sa_handler = on_pipe};

        (void)close(p[0]);
        (void)close(go[1]);
        (void)sigaction(SIGPIPE, &sa, NULL);
        (void)!read(go[0], &c, 1);
        ssize_t n = write(p[1], "x", 1);
        int e = errno;

        printf("write without reader: %zd errno %d, signals %d\n", n, n < 0 ? e : 0,
               (int)g_pipe_signals);
        (void)fflush(stdout);
        _exit(0);
    }
    (void)close(p[0]);
    (void)close(p[1]);
    (void)close(go[0]);
    (void)!write(go[1], "g", 1);
    reap(pid);
    (void)close(go[1]);
}

static void readiness(void)
{
    int p[2];
    int go[2];
    int pending = -1;
    char c;

    (void)pipe(p);
    (void)pipe(go);
    pid_t pid = start();

    if (pid == 0) {
        (void)close(p[0]);
        (void)close(go[1]);
        (void)!read(go[0], &c, 1);
        (void)usleep(20000);
        (void)!write(p[1], "12345", 5);
        (void)!read(go[0], &c, 1);
        _exit(0);
    }
    (void)close(p[1]);
    (void)close(go[0]);
    struct pollfd pfd = {.fd = p[0], .events = POLLIN};

    SHOW(poll(&pfd, 1, 0));
    (void)fcntl(p[0], F_SETFL, O_NONBLOCK);
    SHOW(read(p[0], &c, 1));
    (void)!write(go[1], "g", 1);
    SHOW(poll(&pfd, 1, 5000));
    printf("revents %x\n", pfd.revents);
    SHOW(ioctl(p[0], FIONREAD, &pending));
    printf("pending %d\n", pending);
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};

    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    SHOW(epoll_wait(ep, &ev, 1, 1000));
    SHOW(read(p[0], g_buf, 100));
    SHOW(epoll_wait(ep, &ev, 1, 0));
    (void)!write(go[1], "g", 1);
    reap(pid);
    SHOW(epoll_wait(ep, &ev, 1, 1000));
    printf("at the end %x\n", ev.events);
    SHOW(read(p[0], g_buf, 100));
    (void)close(p[0]);
    (void)close(ep);
    (void)close(go[1]);
}

int main(void)
{
    bulk();
    many_writers();
    ping_pong();
    pipeline();
    ends();
    readiness();
    return 0;
}
