/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
/* Descriptors before and after execve: which stay, which close, and none appear. */
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "app.h"

static void list(const char *when)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    int open_[256] = {0};

    while ((e = readdir(d)) != NULL) {
        int fd = (int)strtol(e->d_name, NULL, 10);

        if (e->d_name[0] != '.' && fd != dirfd(d) && fd < 256 && fcntl(fd, F_GETFD) >= 0) {
            open_[fd] = 1;
        }
    }
    closedir(d);
    printf("%s:", when);
    for (int i = 100; i < 256; i++) {
        if (open_[i]) {
            printf(" %d", i);
        }
    }
    printf("\n");
}

static void put(int fd, int want)
{
    if (fd < 0 || dup2(fd, want) < 0) {
        perror("put");
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int count(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n - 3;
}

int main(int argc, char **argv)
{
    int pair[2];
    char before[16];

    if (argc > 1) {
        char c = 0;

        list("after");
        printf("number changed by %d\n", count() - (int)strtol(argv[1], NULL, 10));
        SHOW(write(110, "x", 1));
        SHOW(read(111, &c, 1));
        SHOW(lseek(101, 0, SEEK_CUR));
        SHOW(fcntl(101, F_GETFD));
        SHOW(fcntl(102, F_GETFD));
        return 0;
    }
    put(open("/proc/self/exe", O_RDONLY), 101);
    SHOW(lseek(101, 7, SEEK_SET));
    put(open("/dev/null", O_RDONLY), 102);
    put(eventfd(0, 0), 103);
    put(timerfd_create(CLOCK_MONOTONIC, 0), 104);
    put(epoll_create1(0), 105);
    if (pipe(pair) == 0) {
        put(pair[0], 106);
        put(pair[1], 107);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
        put(pair[0], 110);
        put(pair[1], 111);
    }
    put(socket(AF_INET, SOCK_DGRAM, 0), 112);
    list("before");
    for (int fd = 102; fd < 107; fd += 2) {
        SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
    }
    (void)snprintf(before, sizeof(before), "%d", count() - 3);
    (void)fflush(stdout);
    char *args[] = {argv[0], before, NULL};

    execv("/proc/self/exe", args);
    perror("execv");
    return 1;
}
