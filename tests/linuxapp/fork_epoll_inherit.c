/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* An epoll made and filled before fork, used by the child: what the parent does wakes it, whatever
 * kind of descriptor it is; and one epoll with a listening socket for several children. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "app.h"

enum { PIPE, ROOM, EVENT, STREAM, DATAGRAM, TIMER, SIGNAL, LISTENER, INNER, KINDS };
static const char *const names[KINDS] = {"pipe",       "room in a pipe", "eventfd",
                                         "socketpair", "datagrams",      "timer",
                                         "signal",     "listener",       "epoll in epoll"};

static int listen_any(struct sockaddr_in *ret)
{
    socklen_t size = sizeof(*ret);
    const int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(s, (struct sockaddr *)ret, sizeof(*ret)) < 0 || listen(s, 64) < 0 ||
        getsockname(s, (struct sockaddr *)ret, &size) < 0) {
        perror("listen");
        exit(97);
    }
    return s;
}

static int connect_to(const struct sockaddr_in *a)
{
    const int s = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(s, (const struct sockaddr *)a, sizeof(*a)) < 0) {
        perror("connect");
        exit(96);
    }
    return s;
}

static void one(int kind, uint32_t mode)
{
    static char big[1 << 20];
    struct epoll_event ev = {.events = EPOLLIN | mode, .data.u64 = 0x1122334455667788ull};
    const struct itimerspec soon = {.it_value.tv_nsec = 50000000};
    struct sockaddr_in addr;
    sigset_t set;
    char c = 'x';
    uint64_t n = 1;
    int go[2];
    int fd[2] = {-1, -1};
    int inner = -1;
    int status;
    int ep = epoll_create1(0);
    int to;

    OK(pipe(go));
    switch (kind) {
    case PIPE: OK(pipe(fd)); break;
    case ROOM:
        OK(pipe2(fd, O_NONBLOCK));
        while (write(fd[1], big, sizeof(big)) > 0) {
        }
        ev.events = EPOLLOUT | mode;
        to = fd[0];
        fd[0] = fd[1];
        fd[1] = to;
        break;
    case EVENT: fd[0] = fd[1] = eventfd(0, 0); break;
    case STREAM: OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd)); break;
    case DATAGRAM: OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd)); break;
    case TIMER: fd[0] = fd[1] = timerfd_create(CLOCK_MONOTONIC, 0); break;
    case SIGNAL:
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        fd[0] = fd[1] = signalfd(-1, &set, 0);
        break;
    case LISTENER: fd[0] = listen_any(&addr); break;
    case INNER:
        OK(pipe(fd));
        inner = epoll_create1(0);
        OK(epoll_ctl(inner, EPOLL_CTL_ADD, fd[0], &ev));
        break;
    }
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, kind == INNER ? inner : fd[0], &ev));
    fflush(stdout);
    const pid_t pid = fork();

    if (pid == 0) {
        close(go[0]);
        printf("child: nothing yet %d\n", epoll_wait(ep, &ev, 1, 0));
        fflush(stdout);
        (void)!write(go[1], "g", 1);
        memset(&ev, 0, sizeof(ev));
        int r = epoll_wait(ep, &ev, 1, 20000);

        printf("child: %d event %x data %d\n", r, ev.events, ev.data.u64 == 0x1122334455667788ull);
        r = epoll_wait(ep, &ev, 1, 0);
        printf("child: again %d\n", r);
        fflush(stdout);
        _exit(0);
    }
    close(go[1]);
    OK(read(go[0], &c, 1));
    usleep(20000); /* it sleeps by now */
    switch (kind) {
    case PIPE:
    case STREAM:
    case DATAGRAM:
    case INNER: OK(write(fd[1], &c, 1)); break;
    case ROOM: OK(read(fd[1], big, sizeof(big))); break;
    case EVENT: OK(write(fd[1], &n, 8)); break;
    case TIMER: OK(timerfd_settime(fd[1], 0, &soon, NULL)); break;
    case SIGNAL: break; /* an epoll waits for signals of the process that put it in */
    case LISTENER: to = connect_to(&addr); break;
    }
    waitpid(pid, &status, 0);
    printf("%s: status %d\n", names[kind], WEXITSTATUS(status));
    close(ep);
    close(fd[0]);
    close(fd[1]);
    close(inner);
    close(go[0]);
    if (kind == LISTENER) {
        close(to);
    }
}

#define WORKERS     4
#define CONNECTIONS 40

static void worker(int ep, int listener, int tell)
{
    for (;;) {
        struct epoll_event ev;
        char c;

        if (epoll_wait(ep, &ev, 1, 20000) != 1) {
            _exit(1);
        }
        const int s = accept(listener, NULL, NULL);

        if (s < 0) {
            continue; /* another one was faster */
        }
        if (read(s, &c, 1) != 1) {
            _exit(2);
        }
        if (c == 'q') {
            _exit(0);
        }
        (void)!write(tell, &c, 1);
        (void)!write(s, "y", 1);
        close(s);
    }
}

static void prefork(uint32_t mode)
{
    struct epoll_event ev = {.events = EPOLLIN | mode};
    struct sockaddr_in addr;
    int ep = epoll_create1(0);
    int listener = listen_any(&addr);
    int served = 0;
    int good = 0;
    int tell[2];
    char c;

    OK(pipe(tell));
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev));
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            worker(ep, listener, tell[1]);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        const int s = connect_to(&addr);

        served += write(s, "x", 1) == 1 && read(s, &c, 1) == 1 && c == 'y';
        (void)!read(tell[0], &c, 1);
        close(s);
    }
    for (int i = 0; i < WORKERS; i++) {
        const int s = connect_to(&addr);
        int st;

        (void)!write(s, "q", 1);
        good += wait(&st) > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 0;
        close(s);
    }
    printf("prefork: served %d, workers that ended well %d\n", served, good);
    close(listener);
    close(ep);
}

int main(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (kind != SIGNAL) {
            one(kind, 0);
            one(kind, EPOLLET);
        }
    }
    prefork(0);
    prefork(EPOLLEXCLUSIVE);
    return 0;
}
