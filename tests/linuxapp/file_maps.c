/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define P 4096ul

static sigjmp_buf env;
static volatile int bus_code;

static void on_bus(int sig, siginfo_t *si, void *uc)
{
    bus_code = si->si_code;
    siglongjmp(env, sig);
}

int main(void)
{
    char name[] = "/tmp/nacre-map-XXXXXX";
    struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    int fd = mkstemp(name);
    char buf[64] = {0};
    char *s;
    char *p;
    int r;

    sigaction(SIGBUS, &sa, NULL);
    unlink(name);
    if (ftruncate(fd, 2 * P + 100) != 0 || pwrite(fd, "first", 5, 0) != 5 ||
        pwrite(fd, "second", 6, P) != 6) {
        return 1;
    }
    s = mmap(NULL, 4 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("reads %.5s %.6s tail %d\n", s, s + P, s[2 * P + 100]);
    memcpy(s + 10, "shared", 6);
    printf("msync %d\n", msync(s, P, MS_SYNC));
    printf("pread %zd %s\n", pread(fd, buf, 6, 10), buf);
    p = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, P);
    memcpy(p, "private", 7);
    memset(buf, 0, sizeof(buf));
    printf("private stays private %zd %s\n", pread(fd, buf, 6, P), buf);
    r = sigsetjmp(env, 1);
    if (r == 0) {
        printf("behind the end: %d\n", s[3 * P]);
    } else {
        printf("behind the end: signal %d code %d\n", r, bus_code);
    }
    memcpy(s + P, "unmapped", 8);
    munmap(s, 4 * P);
    memset(buf, 0, sizeof(buf));
    printf("written back by munmap %zd %s\n", pread(fd, buf, 8, P), buf);
    close(fd);
    printf("private survives close %.7s\n", p);
    return 0;
}
