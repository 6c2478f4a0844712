/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Files in memory that several processes, or one several times, map shared: /dev/shm, memfd,
 * named semaphores; read, write and truncation see what is stored, and the other way round. */

#define PAGE 4096

static char g_name[64];
static sigjmp_buf g_back;

static void check(const char *what, int ok)
{
    if (!ok) {
        printf("WRONG: %s (%s)\n", what, strerror(errno));
        fflush(stdout);
    }
}

static int reap(pid_t pid)
{
    int status = 0;

    check("waitpid", waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static char *map(int fd, size_t size, int prot)
{
    char *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0);

    check("mmap", p != MAP_FAILED);
    return p;
}

static void bus(int signo)
{
    siglongjmp(g_back, signo);
}

static int look(const volatile char *p)
{
    const int signo = sigsetjmp(g_back, 1);

    return signo != 0 ? -signo : *p;
}

/* A second process opens the name and maps it for itself. */
static void by_name(void)
{
    const int fd = shm_open(g_name, O_RDWR | O_CREAT | O_EXCL, 0600);
    volatile char *p;
    pid_t pid;
    int code;

    check("shm_open", fd >= 0);
    check("ftruncate", ftruncate(fd, 4 * PAGE) == 0);
    check("pwrite", pwrite(fd, "written", 8, PAGE) == 8);
    pid = fork();
    if (pid == 0) {
        const int own = shm_open(g_name, O_RDWR, 0);
        volatile char *q = map(own, 4 * PAGE, PROT_READ | PROT_WRITE);

        check("what was written", strcmp((char *)q + PAGE, "written") == 0);
        while (q[0] != 'g') {
        }
        q[1] = 'o';
        q[3 * PAGE] = 3;
        while (q[0] != 'e') {
        }
        _exit(7);
    }
    p = map(fd, 4 * PAGE, PROT_READ | PROT_WRITE);
    p[0] = 'g';
    while (p[1] != 'o') {
    }
    p[0] = 'e';
    code = reap(pid);
    printf("by name: %d, %d\n", code, p[3 * PAGE]);
    shm_unlink(g_name);
    munmap((void *)p, 4 * PAGE);
    close(fd);
}

static void calls_and_stores(void)
{
    const int fd = memfd_create("m", 0);
    char buffer[16] = "";
    volatile char *p;
    pid_t pid;

    check("ftruncate", ftruncate(fd, 3 * PAGE) == 0);
    p = map(fd, 3 * PAGE, PROT_READ | PROT_WRITE);
    (void)memcpy((char *)p, "stored", sizeof("stored"));
    check("pread", pread(fd, buffer, 7, 0) == 7);
    printf("read: %s\n", buffer);
    check("pwrite", pwrite(fd, "call", 5, 2) == 5);
    printf("after write: %s\n", (char *)p);
    pid = fork();
    if (pid == 0) {
        (void)memcpy((char *)p + PAGE, "of the child", sizeof("of the child"));
        check("child's pread", pread(fd, buffer, 5, 0) == 5 && memcmp(buffer, "stcal", 5) == 0);
        check("child's pwrite", pwrite(fd, "X", 1, 2 * PAGE) == 1);
        _exit(p[2 * PAGE]);
    }
    (void)reap(pid);
    check("pread", pread(fd, buffer, 13, PAGE) == 13);
    printf("child stored: %s, wrote %c\n", buffer, p[2 * PAGE]);
    /* from a page of the file to the same page */
    check("within", pwrite(fd, (char *)p + PAGE, 3, PAGE + 5) == 3);
    printf("within: %s\n", (char *)p + PAGE);
    munmap((void *)p, 3 * PAGE);
    check("pread", pread(fd, buffer, 13, PAGE) == 13);
    printf("unmapped: %s\n", buffer);
    close(fd);
}

static void twice(void)
{
    const int fd = memfd_create("twice", 0);
    volatile int *a;
    volatile int *b;
    const volatile int *c;

    check("ftruncate", ftruncate(fd, 2 * PAGE) == 0);
    a = (int *)map(fd, 2 * PAGE, PROT_READ | PROT_WRITE);
    b = (int *)map(fd, 2 * PAGE, PROT_READ | PROT_WRITE);
    c = (int *)map(fd, PAGE, PROT_READ);
    for (int i = 0; i < 100; i++) {
        a[0]++;
        b[0]++;
    }
    b[1024] = 5;
    printf("two mappings: %d %d %d %d\n", a[0], b[0], c[0], a[1024]);
    munmap((void *)b, 2 * PAGE);
    printf("one left: %d %d\n", a[0], a[1024]);
    close(fd);
    munmap((void *)a, 2 * PAGE);
    printf("the last: %d\n", c[0]);
    munmap((void *)c, PAGE);
}

static void truncation(void)
{
    const int fd = memfd_create("short", 0);
    volatile char *p;
    pid_t pid;
    int code;

    signal(SIGBUS, bus);
    check("ftruncate", ftruncate(fd, 3 * PAGE) == 0);
    p = map(fd, 4 * PAGE, PROT_READ | PROT_WRITE);
    memset((void *)p, 'x', 3 * PAGE);
    printf("behind the end: %d\n", look(p + 3 * PAGE) == -SIGBUS);
    pid = fork();
    if (pid == 0) {
        p[PAGE] = 'y';
        p[2 * PAGE] = 'y';
        check("child's ftruncate", ftruncate(fd, PAGE + 100) == 0);
        _exit(look(p + 2 * PAGE) == -SIGBUS ? 1 : 2);
    }
    code = reap(pid);
    printf("cut: %d, %d %c %d\n", code, look(p + 2 * PAGE) == -SIGBUS, p[PAGE], p[PAGE + 200]);
    check("ftruncate", ftruncate(fd, 4 * PAGE) == 0);
    printf("grown: %d %d %d\n", look(p + 2 * PAGE), look(p + 3 * PAGE), p[PAGE + 99]);
    check("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE) == 0);
    printf("hole: %d\n", p[0]);
    munmap((void *)p, 4 * PAGE);
    close(fd);
}

static void named_semaphores(void)
{
    sem_t *s = sem_open(g_name, O_CREAT | O_EXCL, 0600, 0);
    pid_t pid;
    int value = -1;

    check("sem_open", s != SEM_FAILED);
    pid = fork();
    if (pid == 0) {
        sem_t *own = sem_open(g_name, 0);

        check("the child's sem_open", own != SEM_FAILED);
        sem_post(s);   /* inherited */
        sem_post(own); /* opened again */
        sem_close(own);
        _exit(0);
    }
    sem_wait(s);
    sem_wait(s);
    check("semaphore child", reap(pid) == 0);
    sem_getvalue(s, &value);
    printf("semaphore: %d\n", value);
    sem_unlink(g_name);
    sem_close(s);
}

/* The name is gone, and so is everybody who made it: a grandchild goes on. */
static void outlived(void)
{
    int fds[2];
    char c = 0;
    pid_t pid;

    check("pipe", pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        const int fd = shm_open(g_name, O_RDWR | O_CREAT | O_EXCL, 0600);
        volatile char *p;

        check("ftruncate", ftruncate(fd, PAGE) == 0);
        p = map(fd, PAGE, PROT_READ | PROT_WRITE);
        close(fd);
        shm_unlink(g_name);
        p[10] = 'k';
        if (fork() == 0) {
            usleep(50000);
            c = p[10];
            check("write", write(fds[1], &c, 1) == 1);
        }
        _exit(0);
    }
    check("middle", reap(pid) == 0);
    check("read", read(fds[0], &c, 1) == 1);
    printf("outlived: %c\n", c);
}

static void counted(void)
{
    const int fd = memfd_create("count", 0);
    pid_t kids[4];
    atomic_int *p;

    check("ftruncate", ftruncate(fd, PAGE) == 0);
    for (int i = 0; i < 4; i++) {
        kids[i] = fork();
        if (kids[i] == 0) {
            p = (atomic_int *)map(fd, PAGE, PROT_READ | PROT_WRITE);
            for (int k = 0; k < 1000; k++) {
                atomic_fetch_add(p, 1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        check("counter", reap(kids[i]) == 0);
    }
    p = (atomic_int *)map(fd, PAGE, PROT_READ);
    printf("counted: %d\n", *p);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(g_name, sizeof(g_name), "/nacre-shared-%d", getpid());
    twice();
    by_name();
    calls_and_stores();
    truncation();
    named_semaphores();
    outlived();
    counted();
    return 0;
}
