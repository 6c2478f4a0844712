/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* What rows measure with. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "bench/enclave_result.h"

#define CALIBRATION_NS 2e7

static double clock_ns(clockid_t clock)
{
    struct timespec ts = {};

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

double bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

double bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_cycles_per_ns(void)
{
    const double start = bench_now_ns();
    const uint64_t cycles = __rdtsc();
    double now;

    do {
        now = bench_now_ns();
    } while (now - start < CALIBRATION_NS);
    return (double)(__rdtsc() - cycles) / (now - start);
}

void bench_bare_syscall(long number, uint64_t count, struct bench_sample *ret)
{
    const double cpu = bench_cpu_ns();
    const double start = bench_now_ns();

    for (uint64_t i = 0; i < count; i++) {
        long result;

        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(number), "D"(-1l), "S"(0l), "d"(0l)
                         : "rcx", "r11", "memory");
    }
    ret->value = (bench_now_ns() - start) / (double)count;
    ret->cpu_us = (bench_cpu_ns() - cpu) / (double)count / 1e3;
    ret->n = count;
}

/* What it says on standard output is nobody's concern. */
static int spawn_and_wait(const char *const *argv, int keep_fd, struct rusage *ret_usage,
                          struct error **err)
{
    posix_spawn_file_actions_t actions;
    char *const *args = (char *const *)(uintptr_t)argv;
    pid_t pid;
    int status;
    int r;

    /* The one descriptor the child is to have beside its standard three. */
    if (keep_fd >= 0 && fcntl(keep_fd, F_SETFD, 0) < 0) {
        return error_set_errno(err, errno, "starting %s", argv[0]);
    }
    r = posix_spawn_file_actions_init(&actions);
    if (r == 0) {
        r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0) {
            r = posix_spawn(&pid, argv[0], &actions, NULL, args, environ);
        }
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (r != 0) {
        return error_set_errno(err, r, "cannot start %s", argv[0]);
    }
    while (wait4(pid, &status, 0, ret_usage) < 0) {
        if (errno != EINTR) {
            return error_set_errno(err, errno, "waiting for %s", argv[0]);
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(err, EIO, "%s %s %d", argv[0],
                         WIFEXITED(status) ? "failed with status" : "was ended by signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    return 0;
}

static double timeval_ms(const struct timeval *tv)
{
    return (double)tv->tv_sec * 1e3 + (double)tv->tv_usec / 1e3;
}

int bench_program(const char *const *argv, struct bench_sample *ret, struct error **err)
{
    const double start = bench_now_ns();
    struct rusage usage;
    int r = spawn_and_wait(argv, -1, &usage, err);

    if (r < 0) {
        return r;
    }
    ret->value = (bench_now_ns() - start) / 1e6;
    ret->cpu_us = (timeval_ms(&usage.ru_utime) + timeval_ms(&usage.ru_stime)) * 1e3;
    ret->n = 1;
    return 0;
}

/* The result is the first 32 bytes, whatever else the loop wrote follows. */
static int read_result(int fd, struct bench_enclave_result *ret, uint8_t **ret_extra,
                       size_t *ret_extra_size, struct error **err)
{
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(*ret) ||
        pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret) || ret->ops == 0) {
        return error_set(err, EIO, "the test enclave wrote no result");
    }
    if (ret_extra == NULL) {
        return 0;
    }
    *ret_extra_size = (size_t)st.st_size - sizeof(*ret);
    *ret_extra = malloc(*ret_extra_size + 1);
    if (*ret_extra == NULL) {
        return error_set(err, ENOMEM, "reading the test enclave's result");
    }
    n = pread(fd, *ret_extra, *ret_extra_size, sizeof(*ret));
    if (n != (ssize_t)*ret_extra_size) {
        free(*ret_extra);
        return error_set(err, EIO, "the test enclave's result cannot be read");
    }
    return 0;
}

int bench_need_enclave(const struct bench_context *c, struct error **err)
{
    return access(c->loader, X_OK) == 0 && access(c->enclave, R_OK) == 0
               ? 0
               : error_set(err, EOPNOTSUPP,
                           "needs nacre-loader and the test enclave (%s), which a build directory "
                           "has",
                           c->enclave);
}

int bench_enclave_loop(const struct bench_context *c, const char *name, uint64_t count,
                       struct bench_sample *ret, uint8_t **ret_extra, size_t *ret_extra_size,
                       struct error **err)
{
    _cleanup_close_ int fd = memfd_create("bench", MFD_CLOEXEC);
    struct bench_enclave_result result;
    struct rusage usage;
    char count_text[24];
    char fd_text[12];
    const char *const argv[] = {c->loader, "--quiet",  c->enclave, "bench",
                                name,      count_text, fd_text,    NULL};
    int r;

    if (fd < 0) {
        return error_set_errno(err, errno, "creating a file in memory");
    }
    (void)snprintf(count_text, sizeof(count_text), "%ju", (uintmax_t)count);
    (void)snprintf(fd_text, sizeof(fd_text), "%d", fd);
    r = spawn_and_wait(argv, fd, &usage, err);
    if (r == 0) {
        r = read_result(fd, &result, ret_extra, ret_extra_size, err);
    }
    if (r < 0) {
        return r;
    }
    ret->value = (double)result.cycles / c->cycles_per_ns / (double)result.ops;
    ret->cpu_us = (double)result.cpu_ns / (double)result.ops / 1e3;
    ret->exits = (double)result.exits / (double)result.ops;
    ret->n = result.ops;
    return 0;
}
