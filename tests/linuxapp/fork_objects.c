/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* eventfd and timerfd are one object for a process and its children and their children, whichever
 * of them made it. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "app.h"

static int ready(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms);
}

static void finish(pid_t pid)
{
    int st;

    waitpid(pid, &st, 0);
    printf("child: status %d\n", WEXITSTATUS(st));
    fflush(stdout);
}

static pid_t begin(void)
{
    fflush(stdout);
    const pid_t pid = fork();

    if (pid < 0) {
        perror("fork");
        exit(95);
    }
    return pid;
}

_Noreturn static void leave(void)
{
    fflush(stdout);
    _exit(0);
}

static void counters(void)
{
    const int fd = eventfd(3, 0);
    const int sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t n = 0;
    pid_t pid = begin();

    if (pid == 0) {
        OK(read(fd, &n, 8));
        printf("child: %lu\n", (unsigned long)n);
        n = 10;
        OK(write(fd, &n, 8));
        OK(read(sem, &n, 8));
        leave();
    }
    finish(pid);
    OK(read(fd, &n, 8));
    printf("parent: %lu\n", (unsigned long)n);
    OK(read(sem, &n, 8));
    OK(read(sem, &n, 8));
    pid = begin();
    if (pid == 0) { /* it waits for what comes later */
        OK(read(fd, &n, 8));
        printf("child: %lu\n", (unsigned long)n);
        leave();
    }
    usleep(30000);
    n = 77;
    OK(write(fd, &n, 8));
    finish(pid);
    close(fd);
    close(sem);
}

static int64_t left_ms(int fd)
{
    struct itimerspec t;

    return timerfd_gettime(fd, &t) < 0 ? -1
                                       : t.it_value.tv_sec * 1000 + t.it_value.tv_nsec / 1000000;
}

static void timers(void)
{
    const struct itimerspec far = {.it_value.tv_sec = 1000, .it_interval.tv_sec = 5};
    const struct itimerspec soon = {.it_value.tv_nsec = 60000000, .it_interval.tv_nsec = 1};
    const struct itimerspec once = {.it_value.tv_nsec = 60000000};
    const struct itimerspec off = {.it_value.tv_nsec = 0};
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    struct itimerspec old;
    uint64_t n = 0;
    pid_t pid;

    OK(timerfd_settime(fd, 0, &far, NULL));
    pid = begin();
    if (pid == 0) {
        printf("child: far %d\n", left_ms(fd) > 900000);
        OK(read(fd, &n, 8));
        OK(timerfd_settime(fd, 0, &once, &old));
        printf("child: it was far %d, interval %ld\n", old.it_value.tv_sec > 900,
               (long)old.it_interval.tv_sec);
        leave();
    }
    finish(pid);
    printf("parent: soon or over %d\n", left_ms(fd) < 100);
    printf("parent: ready %d\n", ready(fd, 20000));
    pid = begin();
    if (pid == 0) { /* takes what the parent left */
        OK(read(fd, &n, 8));
        printf("child: %lu\n", (unsigned long)n);
        OK(read(fd, &n, 8));
        leave();
    }
    finish(pid);
    printf("parent: ready %d\n", ready(fd, 0));
    OK(fcntl(fd, F_SETFL, 0));
    pid = begin();
    if (pid == 0) { /* waits, with read, for a timer that is set by its parent */
        OK(read(fd, &n, 8));
        printf("child: %d\n", n >= 1);
        OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
        OK(timerfd_settime(fd, 0, &once, NULL));
        printf("child: epoll %d\n", epoll_wait(ep, &ev, 1, 20000));
        OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &off, NULL));
        printf("child: epoll %d\n", epoll_wait(ep, &ev, 1, 0));
        OK(timerfd_settime(fd, 0, &soon, NULL));
        printf("child: poll %d\n", ready(fd, 20000));
        leave();
    }
    usleep(30000);
    OK(timerfd_settime(fd, 0, &once, NULL));
    finish(pid);
    OK(read(fd, &n, 8));
    printf("parent: many %d\n", n > 1);
    close(fd);
    close(ep);
}

static void bad(void)
{
    const int fd = eventfd(0, 0);
    struct itimerspec t = {0};
    const pid_t pid = begin();

    if (pid == 0) {
        OK(timerfd_settime(fd, 0, &t, NULL));
        OK(timerfd_gettime(fd, &t));
        t.it_value.tv_nsec = 2000000000;
        OK(timerfd_settime(fd, 0, &t, NULL));
        leave();
    }
    finish(pid);
    close(fd);
}

static void all(void)
{
    counters();
    timers();
    bad();
}

int main(void)
{
    all();
    /* and made in a child, for its children */
    const pid_t pid = begin();

    if (pid == 0) {
        all();
        leave();
    }
    finish(pid);
    return 0;
}
