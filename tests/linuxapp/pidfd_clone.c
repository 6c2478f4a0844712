/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* CLONE_PIDFD by clone and clone3, as fork and as vfork; CLONE_CLEAR_SIGHAND. */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define SHOW(what, r) printf("%s: %s\n", what, (r) < 0 ? strerror(errno) : "ok")

static pid_t clone3_(uint64_t flags, int *pidfd)
{
    const struct clone_args a = {
        .flags = flags, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};

    return (pid_t)syscall(SYS_clone3, &a, sizeof(a));
}

static void reap(pid_t pid, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    printf("poll %d cloexec %d\n", poll(&p, 1, -1), fcntl(fd, F_GETFD));
    SHOW("waitid", waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
    printf("pid %d status %d\n", info.si_pid == pid, info.si_status);
    close(fd);
}

static void as_fork(void)
{
    int fd = -5;
    pid_t pid = clone3_(CLONE_PIDFD, &fd);

    if (pid == 0) { /* it neither has the descriptor nor sees its number */
        _exit(fd == -5 && fcntl(3, F_GETFD) < 0 && errno == EBADF ? 11 : 12);
    }
    reap(pid, fd);
    fd = -5;
    pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
    if (pid == 0) {
        _exit(fd == -5 ? 21 : 22);
    }
    reap(pid, fd);
}

/* In line: a child on the parent's stack may not return from a function. It leaves with 31 when
 * descriptor 3 is not there. */
static void as_vfork(void)
{
    int fd = -5;
    const struct clone_args a = {.flags = CLONE_PIDFD | CLONE_VM | CLONE_VFORK,
                                 .pidfd = (uint64_t)(uintptr_t)&fd,
                                 .exit_signal = SIGCHLD};
    long pid = SYS_clone3;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "movl %[fcntl], %%eax\n\t"
                     "movl $3, %%edi\n\t"
                     "movl $1, %%esi\n\t" /* F_GETFD */
                     "syscall\n\t"
                     "movl $32, %%edi\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jns 2f\n\t"
                     "movl $31, %%edi\n"
                     "2:\tmovl %[exit], %%eax\n\t"
                     "syscall\n"
                     "1:"
                     : "+a"(pid)
                     : "D"(&a), "S"(sizeof(a)), [fcntl] "i"(SYS_fcntl), [exit] "i"(SYS_exit_group)
                     : "rcx", "r11", "memory");
    reap((pid_t)pid, fd);
}

static void bad(void)
{
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = 1024};
    struct rlimit was;
    int fd = -5;
    int st;

    SHOW("no place for the number", clone3_(CLONE_PIDFD, (int *)8));
    SHOW("a thread's",
         clone3_(CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | 0, NULL) < 0 ? -1 : 0);
    SHOW("one word for both",
         syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, 0));
    SHOW("clear and share", clone3_(CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, NULL));
    SHOW("an unknown flag", clone3_(1ull << 60, NULL));
    getrlimit(RLIMIT_NOFILE, &was);
    setrlimit(RLIMIT_NOFILE, &none);
    SHOW("no descriptor left", clone3_(CLONE_PIDFD, &fd));
    setrlimit(RLIMIT_NOFILE, &was);
    printf("untouched %d, no child %d\n", fd == -5, waitpid(-1, &st, 0) < 0 && errno == ECHILD);
}

static void nothing(int signo)
{
}

static void clear(void)
{
    struct sigaction act;
    int st;

    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    const pid_t pid = clone3_(CLONE_CLEAR_SIGHAND, NULL);

    if (pid == 0) {
        int r = 0;

        sigaction(SIGUSR1, NULL, &act);
        r |= act.sa_handler == SIG_DFL ? 1 : 0;
        sigaction(SIGUSR2, NULL, &act);
        r |= act.sa_handler == SIG_IGN ? 2 : 0;
        _exit(r);
    }
    waitpid(pid, &st, 0);
    sigaction(SIGUSR1, NULL, &act);
    printf("child %d, the parent keeps its own %d\n", WEXITSTATUS(st), act.sa_handler == nothing);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    as_fork();
    as_vfork();
    bad();
    clear();
    return 0;
}
