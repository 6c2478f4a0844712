/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors of processes: open, signal, poll, epoll, wait, inheritance. */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define SHOW(what, r) printf("%s: %s\n", what, (r) < 0 ? strerror(errno) : "ok")

static int open_pid(pid_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int send(int fd, int signo, siginfo_t *info, unsigned flags)
{
    return (int)syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}

static int get_fd(int fd, int target, unsigned flags)
{
    return (int)syscall(SYS_pidfd_getfd, fd, target, flags);
}

/* A child that waits for a byte or the end of a pipe, then exits with `status`. */
static pid_t child(int status, int *ret_go)
{
    int go[2];
    char c;

    if (pipe(go) < 0) {
        exit(90);
    }
    const pid_t pid = fork();

    if (pid == 0) {
        close(go[1]);
        (void)!read(go[0], &c, 1);
        _exit(status);
    }
    close(go[0]);
    *ret_go = go[1];
    return pid;
}

static int ready(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const int n = poll(&p, 1, ms);

    return n > 0 ? p.revents & POLLIN : n;
}

static void show_info(const siginfo_t *i, pid_t pid)
{
    printf("  signo %d code %d pid %s status %d\n", i->si_signo, i->si_code,
           i->si_pid == pid ? "the child" : "another", i->si_status);
}

static void waiting(void)
{
    siginfo_t info;
    int go;
    const pid_t pid = child(7, &go);
    const int fd = open_pid(pid, 0);

    printf("cloexec %d\n", fcntl(fd, F_GETFD));
    printf("ready before: %d\n", ready(fd, 0));
    memset(&info, 0, sizeof(info));
    SHOW("waitid, nobody yet", waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
    printf("  pid %d\n", info.si_pid);
    close(go);
    printf("ready after: %d\n", ready(fd, -1));
    SHOW("signal 0 to a zombie", send(fd, 0, NULL, 0));
    SHOW("waitid, kept", waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT));
    show_info(&info, pid);
    SHOW("waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    show_info(&info, pid);
    SHOW("waitid again", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    printf("still ready: %d\n", ready(fd, 0));
    SHOW("signal to nobody", send(fd, SIGTERM, NULL, 0));
    SHOW("open of nobody", open_pid(pid, 0));
    close(fd);
}

static void nonblocking(void)
{
    siginfo_t info;
    int go;
    const pid_t pid = child(3, &go);
    const int fd = open_pid(pid, O_NONBLOCK);

    printf("flags %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    SHOW("waitid would block", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    SHOW("with WNOHANG", waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG));
    close(go);
    (void)ready(fd, -1);
    SHOW("waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    show_info(&info, pid);
    close(fd);
}

static void in_epoll(void)
{
    int go[3];
    int fd[3];
    pid_t pid[3];
    const int ep = epoll_create1(0);

    for (int i = 0; i < 3; i++) {
        struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

        pid[i] = child(i, &go[i]);
        fd[i] = open_pid(pid[i], 0);
        SHOW("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev));
    }
    for (int i = 2; i >= 0; i--) {
        struct epoll_event ev;
        int st;

        close(go[i]);
        const int n = epoll_wait(ep, &ev, 1, 20000);

        const pid_t reaped = waitpid(pid[ev.data.u32], &st, 0);

        printf("events %d of %u, pid is right %d, status %d\n", n, ev.data.u32, reaped == pid[i],
               WEXITSTATUS(st));
        close(fd[i]);
    }
    close(ep);
}

static volatile sig_atomic_t g_value, g_code, g_from_us;

static void on_signal(int signo, siginfo_t *info, void *context)
{
    g_value = info->si_value.sival_int;
    g_code = info->si_code;
    g_from_us = info->si_pid == getpid();
}

static void to_self(void)
{
    const struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    siginfo_t info;
    const int fd = open_pid(getpid(), 0);
    char name[32];
    int of_proc;
    int dup_of;

    sigaction(SIGUSR1, &act, NULL);
    SHOW("signal to oneself", send(fd, SIGUSR1, NULL, 0));
    printf("  code %d from us %d\n", g_code, g_from_us);
    memset(&info, 0, sizeof(info));
    info.si_signo = SIGUSR1;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_value.sival_int = 4711;
    SHOW("queued", send(fd, SIGUSR1, &info, 0));
    printf("  code %d value %d\n", g_code, g_value);
    info.si_code = 5; /* to oneself one may pose as the kernel */
    SHOW("posing", send(fd, SIGUSR1, &info, 0));
    printf("  code %d\n", g_code);
    SHOW("another number", send(fd, SIGUSR2, &info, 0));
    SHOW("bad pointer", send(fd, SIGUSR1, (siginfo_t *)8, 0));
    SHOW("bad flags", send(fd, SIGUSR1, NULL, 0x80000000u));
    SHOW("bad number", send(fd, 65, NULL, 0));
    SHOW("no such descriptor", send(999, 0, NULL, 0));
    SHOW("no pidfd", send(1, 0, NULL, 0));
    snprintf(name, sizeof(name), "/proc/%d", getpid());
    of_proc = open(name, O_RDONLY | O_DIRECTORY);
    SHOW("a directory of /proc", send(of_proc, 0, NULL, 0));
    close(of_proc);
    of_proc = open("/proc", O_RDONLY | O_DIRECTORY);
    SHOW("another directory", send(of_proc, 0, NULL, 0));
    close(of_proc);
    dup_of = get_fd(fd, 1, 0);
    SHOW("pidfd_getfd of oneself", dup_of);
    printf("  cloexec %d\n", fcntl(dup_of, F_GETFD));
    SHOW("  of nothing", get_fd(fd, 999, 0));
    SHOW("  flags", get_fd(fd, 1, 1));
    SHOW("  no pidfd", get_fd(1, 1, 0));
    close(dup_of);
    close(fd);
}

static void to_others(void)
{
    siginfo_t info;
    int go;
    int st;
    const pid_t pid = child(0, &go);
    const int fd = open_pid(pid, 0);

    memset(&info, 0, sizeof(info));
    info.si_signo = SIGTERM;
    info.si_code = 5;
    SHOW("posing as the kernel", send(fd, SIGTERM, &info, 0));
    info.si_code = SI_USER;
    SHOW("posing as kill", send(fd, SIGTERM, &info, 0));
    info.si_code = SI_QUEUE;
    SHOW("queued", send(fd, SIGTERM, &info, 0));
    printf("ready: %d\n", ready(fd, -1));
    waitpid(pid, &st, 0);
    printf("killed by %d\n", WIFSIGNALED(st) ? WTERMSIG(st) : 0);
    close(go);
    close(fd);
}

/* The descriptor of a sibling, in a child that only inherited it. */
static void inherited(void)
{
    siginfo_t info;
    int go;
    int st;
    const pid_t sibling = child(9, &go);
    const int fd = open_pid(sibling, 0);
    const int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 5};
    pid_t pid;

    (void)epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        close(go);
        printf("child: ready %d\n", ready(fd, 0));
        SHOW("child: waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
        SHOW("child: kills", send(fd, SIGKILL, NULL, 0));
        printf("child: epoll %d\n", epoll_wait(ep, &ev, 1, 20000));
        printf("child: ready %d\n", ready(fd, -1));
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &st, 0);
    printf("parent: epoll %d\n", epoll_wait(ep, &ev, 1, 20000));
    SHOW("parent: waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    show_info(&info, sibling);
    close(go);
    close(fd);
    close(ep);
}

static void bad(void)
{
    siginfo_t info;

    SHOW("open 0", open_pid(0, 0));
    SHOW("open -1", open_pid(-1, 0));
    SHOW("open, bad flags", open_pid(getpid(), 1));
    SHOW("open of nobody", open_pid(4194000, 0));
    SHOW("waitid of no descriptor", waitid(P_PIDFD, 999, &info, WEXITED));
    SHOW("waitid of another file", waitid(P_PIDFD, 1, &info, WEXITED));
    SHOW("waitid of -1", waitid(P_PIDFD, (id_t)-1, &info, WEXITED));
    const int fd = open_pid(getpid(), 0);
    char c;

    SHOW("waitid of oneself", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    SHOW("read", read(fd, &c, 1));
    SHOW("write", write(fd, "x", 1));
    close(fd);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    bad();
    to_self();
    waiting();
    nonblocking();
    in_epoll();
    to_others();
    inherited();
    return 0;
}
