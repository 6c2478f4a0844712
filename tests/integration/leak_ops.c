/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* usage: leak_ops WORK COUNT [close]: makes something and gives it back, COUNT times, and closes
 * standard error at the end. test_exec_memory.py looks at what the enclave holds then. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEPT_BYTES 65536u
/* Names that are not there are remembered, so many of them: few enough to meet all in a short run.
 */
#define MISSING    20000u

__attribute__((noreturn)) static void fail(const char *what)
{
    (void)fprintf(stderr, "leak_ops: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void check(int r, const char *what)
{
    if (r < 0) {
        fail(what);
    }
}

/* A file of the host, one in memory, one of /proc, and a name that is not there. */
static void open_one(unsigned long i)
{
    static const char *const paths[] = {"/etc/passwd", "/tmp/here", "/proc/self/status"};
    char missing[32];
    int fd;

    if (i % 4 == 3) {
        (void)snprintf(missing, sizeof(missing), "/tmp/none-%lu", i % MISSING);
        if (open(missing, O_RDONLY) >= 0 || errno != ENOENT) {
            fail(missing);
        }
        return;
    }
    fd = open(paths[i % 4], O_RDONLY | O_CLOEXEC | (i % 4 == 1 ? O_CREAT : 0), 0600);
    check(fd, paths[i % 4]);
    check(close(fd), "close");
}

static void *thread(void *arg)
{
    return arg;
}

static void thread_one(unsigned long i)
{
    pthread_t t;

    errno = pthread_create(&t, NULL, thread, NULL);
    if (errno != 0 || (errno = pthread_join(t, NULL)) != 0) {
        fail("thread");
    }
}

static void socket_one(unsigned long i)
{
    struct epoll_event e = {.events = EPOLLIN};
    char byte = 'x';
    int p[2];

    switch (i % 4) {
    case 0:
        p[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        p[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check(p[0], "socket");
        break;
    case 1: check(socketpair(AF_UNIX, SOCK_STREAM, 0, p), "socketpair"); break;
    case 2: check(pipe(p), "pipe"); break;
    default:
        p[0] = eventfd(1, 0);
        p[1] = epoll_create1(0);
        check(epoll_ctl(p[1], EPOLL_CTL_ADD, p[0], &e), "epoll_ctl");
    }
    if ((i % 4 == 1 || i % 4 == 2) && write(p[1], &byte, 1) != 1) {
        fail("write");
    }
    check(close(p[0]), "close");
    if (p[1] >= 0) { /* a host without IPv6 */
        check(close(p[1]), "close");
    }
}

static void map_one(unsigned long i)
{
    const size_t size = (1 + i % 16) * 65536;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        fail("mmap");
    }
    p[0] = p[size - 1] = 1;
    check(munmap(p, size), "munmap");
}

/* A library that comes and goes: code of a file, with a system call in it that is rewritten. */
static void code_one(unsigned long i)
{
    static const unsigned char stub[] = {
        0x0f, 0x1f, 0x40, 0x00, 0x0f, 0x1f, 0x40, 0x00, 0x0f, 0x1f, 0x40, 0x00, /* nops */
        0xf3, 0x0f, 0x1e, 0xfa,                                                 /* endbr64 */
        0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xc3,                         /* getpid */
    };
    static int fd = -1;
    int (*function)(void);
    char *p;

    if (fd < 0) {
        fd = memfd_create("code", MFD_CLOEXEC);
        check(fd, "memfd_create");
        if (write(fd, stub, sizeof(stub)) != (ssize_t)sizeof(stub)) {
            fail("writing code");
        }
    }
    p = mmap((void *)(0x200000000 + (i % 977) * 65536), 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE,
             fd, 0);
    if (p == MAP_FAILED) {
        fail("mapping code");
    }
    *(void **)&function = p;
    for (int n = 0; n < 3; n++) {
        if (function() != getpid()) {
            fail("calling code");
        }
    }
    check(munmap(p, 4096), "munmap");
}

static void *stay(void *arg)
{
    (void)pause();
    return arg;
}

/* The same while another thread is there. */
static void code_beside_one(unsigned long i)
{
    pthread_t t;

    if (i == 0) {
        check(-pthread_create(&t, NULL, stay, NULL), "pthread_create");
    }
    code_one(i);
}

/* Gives nothing back: shows that what is not given back is seen. */
static void keep_one(unsigned long i)
{
    static char block[KEPT_BYTES];
    int p[2];

    check(pipe(p), "pipe");
    if (write(p[1], block, sizeof(block)) != (ssize_t)sizeof(block)) {
        fail("filling a pipe");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*one)(unsigned long i);
    } works[] = {
        {"opens", open_one},
        {"threads", thread_one},
        {"sockets", socket_one},
        {"maps", map_one},
        {"keep", keep_one},
        {"code", code_one},
        {"code-beside", code_beside_one},
    };

    for (size_t w = 0; (argc == 3 || argc == 4) && w < sizeof(works) / sizeof(works[0]); w++) {
        if (strcmp(argv[1], works[w].name) == 0) {
            const unsigned long count = strtoul(argv[2], NULL, 10);

            for (unsigned long i = 0; i < count; i++) {
                works[w].one(i);
            }
            (void)printf("%lu\n", count);
            if (argc == 4) {
                check(close(STDERR_FILENO), "close");
            }
            return 0;
        }
    }
    (void)fprintf(stderr, "usage: leak_ops WORK COUNT [close]\n");
    return 2;
}
