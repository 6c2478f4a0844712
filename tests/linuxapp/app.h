/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* For the file programs: a scratch directory, calls shown by result or error name, children. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call)                                           \
    do {                                                     \
        errno = 0;                                           \
        long long show_r_ = (long long)(call);               \
        if (show_r_ < 0) {                                   \
            printf("%s: %s\n", #call, strerrorname_(errno)); \
        } else {                                             \
            printf("%s: %lld\n", #call, show_r_);            \
        }                                                    \
    } while (0)
/* For results that differ from run to run (descriptors): success or the error. */
#define OK(call)                                                                        \
    do {                                                                                \
        errno = 0;                                                                      \
        printf("%s: %s\n", #call, (long long)(call) < 0 ? strerrorname_(errno) : "ok"); \
    } while (0)

static inline const char *strerrorname_(int e)
{
    static char text[16];

    (void)snprintf(text, sizeof(text), "errno %d", e);
    return text;
}

static inline int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *f)
{
    return remove(path);
}

static char scratch_[64];

/* Programs leave an empty directory or not: everything in it goes at the end. */
static inline void scratch_leave(void)
{
    (void)!chdir("/");
    (void)nftw(scratch_, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Works in a fresh empty directory. Its name has the process, so that the runner finds what a
 * program that was killed left behind. */
static inline void scratch(void)
{
    (void)snprintf(scratch_, sizeof(scratch_), "/tmp/nacre-app-%d-XXXXXX", getpid());
    if (mkdtemp(scratch_) == NULL || chdir(scratch_) < 0) {
        perror("scratch");
        exit(99);
    }
    (void)umask(022);
    (void)atexit(scratch_leave);
}

static inline int make(const char *name, const char *text)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        perror(name);
        exit(98);
    }
    return close(fd);
}

static inline void show_file(const char *name)
{
    char buf[256];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

    if (n < 0) {
        printf("%s: %s\n", name, strerrorname_(errno));
    } else {
        buf[n] = '\0';
        printf("%s: [%s]\n", name, buf);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* A child; what was printed before is printed once. */
static inline pid_t start(void)
{
    (void)fflush(stdout);
    return fork();
}

static inline void reap(pid_t pid)
{
    int status = -1;

    (void)waitpid(pid, &status, 0);
    printf("status %x\n", status);
    (void)fflush(stdout);
}
