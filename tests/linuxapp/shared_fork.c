/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory that processes share since a fork: what one stores the others load, atomics are atomic,
 * and mapping calls do what they do elsewhere. */

#define PAGE 4096
#define KIDS 8

static void check(const char *what, int ok)
{
    if (!ok) {
        printf("WRONG: %s (%s)\n", what, strerror(errno));
        fflush(stdout);
    }
}

static char *share(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    check("mmap", p != MAP_FAILED);
    return p;
}

static int reap(pid_t pid)
{
    int status = 0;

    check("waitpid", waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void both_ways(void)
{
    char *p = share(16 * PAGE);
    pid_t pid;

    (void)memcpy(p, "before", sizeof("before"));
    p[5 * PAGE] = 7;
    pid = fork();
    if (pid == 0) {
        check("the parent's stores", strcmp(p, "before") == 0 && p[5 * PAGE] == 7);
        check("untouched", p[9 * PAGE] == 0);
        (void)memcpy(p, "the child was here", sizeof("the child was here"));
        p[9 * PAGE + 1] = 9;
        _exit(p[15 * PAGE + 4095] == 0 ? 3 : 4);
    }
    printf("child: %d\n", reap(pid));
    printf("parent reads: %s, %d %d\n", p, p[9 * PAGE + 1], p[5 * PAGE]);
    munmap(p, 16 * PAGE);
}

static void count(atomic_long *c, long n)
{
    for (long i = 0; i < n; i++) {
        atomic_fetch_add(c, 1);
    }
}

static void counters(void)
{
    atomic_long *c = (atomic_long *)share(2 * PAGE);
    pid_t kids[KIDS];

    for (int i = 0; i < KIDS; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            count(&c[0], 20000);
            count(&c[PAGE / sizeof(*c)], 100);
            _exit(0);
        }
    }
    count(&c[0], 20000);
    for (int i = 0; i < KIDS; i++) {
        check("counting child", reap(kids[i]) == 0);
    }
    printf("counted: %ld %ld\n", (long)c[0], (long)c[PAGE / sizeof(*c)]);
    munmap(c, 2 * PAGE);
}

/* Turns taken by spinning: every store must reach the other. */
static void turns(void)
{
    atomic_int *turn = (atomic_int *)share(PAGE);
    pid_t pid = fork();
    const int me = pid == 0;

    for (int i = 0; i < 100; i++) {
        while (atomic_load(turn) % 2 != me) {
        }
        atomic_fetch_add(turn, 1);
    }
    if (pid == 0) {
        _exit(0);
    }
    check("turns child", reap(pid) == 0);
    printf("turns: %d\n", *turn);
    munmap(turn, PAGE);
}

static void many_pages(void)
{
    const size_t size = 2 << 20;
    unsigned char *p = (unsigned char *)share(size);
    unsigned long sum = 0;
    pid_t pid;

    for (size_t i = 0; i < size; i += PAGE) {
        p[i + 1] = (unsigned char)(i >> 12);
    }
    pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < size; i += PAGE) {
            p[i + 2] = p[i + 1];
        }
        _exit(0);
    }
    check("many pages child", reap(pid) == 0);
    for (size_t i = 0; i < size; i += PAGE) {
        sum += p[i + 2];
    }
    printf("sum: %lu\n", sum);
    munmap(p, size);
}

/* A grandchild shares with the grandparent, and what a middle one made with both its sides. */
static void generations(void)
{
    volatile int *a = (int *)share(PAGE);
    pid_t pid = fork();

    if (pid == 0) {
        volatile int *b = (int *)share(PAGE);
        pid_t grandchild = fork();

        if (grandchild == 0) {
            a[0] = 11;
            b[0] = 22;
            _exit(0);
        }
        check("grandchild", reap(grandchild) == 0);
        a[1] = b[0];
        _exit(0);
    }
    check("middle", reap(pid) == 0);
    printf("generations: %d %d\n", a[0], a[1]);
    munmap((void *)a, PAGE);
}

static void faulted(int signo)
{
    (void)signo;
    _exit(55);
}

static void mappings(void)
{
    char *p = share(8 * PAGE);
    char *room = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    char *moved;

    memset(p, 1, 8 * PAGE);
    pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, faulted);
        check("mprotect", mprotect(p + PAGE, PAGE, PROT_READ) == 0 && p[PAGE] == 1);
        check("munmap", munmap(p + 2 * PAGE, PAGE) == 0);
        p[3 * PAGE] = 33;
        check("dontneed", madvise(p + 3 * PAGE, PAGE, MADV_DONTNEED) == 0 && p[3 * PAGE] == 33);
        check("none", mprotect(p + 4 * PAGE, PAGE, PROT_NONE) == 0);
        p[PAGE] = 2;
        _exit(0);
    }
    printf("write to a page made read-only: %d\n", reap(pid));
    pid = fork();
    if (pid == 0) {
        char *q = mremap(p, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);

        check("mremap", q == room);
        q[5 * PAGE] = q[PAGE] + 5;
        _exit(q[3 * PAGE]);
    }
    printf("moved in the child: %d\n", reap(pid));
    p[6 * PAGE] = 66;
    moved = mremap(p, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    check("mremap", moved == room);
    printf("moved: %d %d %d %d\n", moved[2 * PAGE], moved[3 * PAGE], moved[5 * PAGE],
           moved[6 * PAGE]);
    munmap(moved, 8 * PAGE);
}

static void not_for_children(void)
{
    char *p = share(2 * PAGE);
    pid_t pid;
    int code;

    madvise(p + PAGE, PAGE, MADV_DONTFORK);
    pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, faulted);
        p[0] = 1;
        p[PAGE] = 1;
        _exit(0);
    }
    code = reap(pid);
    printf("not for children: %d, %d\n", code, p[0]);
    munmap(p, 2 * PAGE);
}

/* System calls that read from and write to shared memory, with a pipe between the processes. */
static void calls(void)
{
    char *p = share(40 * PAGE);
    int fds[2];
    pid_t pid;

    check("pipe", pipe(fds) == 0);
    memset(p, 'a', 20 * PAGE);
    pid = fork();
    if (pid == 0) {
        memset(p, 'b', 10 * PAGE);
        for (size_t done = 0; done < 20 * PAGE;) {
            const ssize_t n = write(fds[1], p + done, 20 * PAGE - done);

            check("write", n > 0);
            done += (size_t)n;
        }
        _exit(0);
    }
    for (size_t done = 0; done < 20 * PAGE;) {
        const ssize_t n = read(fds[0], p + 20 * PAGE + done, 20 * PAGE - done);

        check("read", n > 0);
        done += (size_t)n;
    }
    check("writer", reap(pid) == 0);
    printf("through a pipe: %c%c%c%c\n", p[20 * PAGE], p[30 * PAGE - 1], p[30 * PAGE],
           p[40 * PAGE - 1]);
    close(fds[0]);
    close(fds[1]);
    munmap(p, 40 * PAGE);
}

/* Whoever is killed from inside had stored something: it is there. */
static void killed(void)
{
    volatile int *p = (int *)share(PAGE);
    pid_t pid = fork();
    int code;

    if (pid == 0) {
        p[3] = 77;
        p[0] = 1;
        for (;;) {
            pause();
        }
    }
    while (p[0] == 0) {
        usleep(1000);
    }
    p[0] = 2;
    kill(pid, SIGKILL);
    code = reap(pid);
    printf("killed: %d, its store: %d\n", code, p[3]);
    munmap((void *)p, PAGE);
}

static void executes(void)
{
    volatile int *p = (int *)share(2 * PAGE);
    pid_t pid = fork();
    int code;

    if (pid == 0) {
        p[0] = 5;
        p[1024] = 6;
        execl("/proc/self/exe", "shared_fork", "child", (char *)NULL);
        _exit(99);
    }
    code = reap(pid);
    printf("executed: %d, %d %d\n", code, p[0], p[1024]);
    munmap((void *)p, 2 * PAGE);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return 8;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    both_ways();
    counters();
    turns();
    many_pages();
    generations();
    mappings();
    not_for_children();
    calls();
    killed();
    executes();
    return 0;
}
