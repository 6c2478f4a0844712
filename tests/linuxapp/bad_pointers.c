/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define TRY(call)                                                         \
    do {                                                                  \
        long r_ = (call);                                                 \
        printf("%s: %ld %s\n", #call, r_, r_ < 0 ? strerror(errno) : ""); \
    } while (0)

int main(void)
{
    char *none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *half = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int zero = open("/dev/zero", O_RDWR);

    munmap(half + 4096, 4096);
    TRY(syscall(SYS_uname, NULL));
    TRY(syscall(SYS_uname, none));
    TRY(syscall(SYS_uname, (void *)~0ul));
    TRY(syscall(SYS_uname, (void *)0xffffffff80000000ul));
    TRY(syscall(SYS_uname, (void *)(~0ul << 47)));
    TRY(read(zero, none, 10));
    TRY(read(zero, readonly, 10));
    TRY(read(zero, half + 4000, 96));
    TRY(syscall(SYS_openat, AT_FDCWD, none, O_RDONLY));
    TRY(syscall(SYS_openat, AT_FDCWD, NULL, O_RDONLY));
    memset(half + 4090, 'a', 6);
    TRY(syscall(SYS_openat, AT_FDCWD, half + 4090, O_RDONLY));
    TRY(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, none));
    TRY(syscall(SYS_pipe2, readonly, 0));
    TRY(syscall(SYS_nanosleep, half + 4090, NULL));
    TRY(syscall(SYS_getcwd, none, 4096));
    TRY(syscall(SYS_newfstatat, AT_FDCWD, "/", none, 0));
    return 0;
}
