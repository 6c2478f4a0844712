/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What single system calls, threads and plain computing cost an unmodified program inside: the same
 * binary natively and under nacre exec.
 */
#include "bench/bench.h"

#define PYTHON "/usr/bin/python3"

#define OPS_DYNAMIC "../bench/bench_ops"
#define OPS_STATIC  "../bench/bench_ops_static"
#define OPS_MUSL    "../bench/bench_ops_musl"
#define NBODY       "../bench/bench_nbody.py"

#define OPS_ROW(name, row_id, file_name, with, work_name, bar_limit, text)      \
    const struct bench_row bench_row_##name = {                                 \
        .id = (row_id),                                                         \
        .unit = "ns",                                                           \
        .work = (text),                                                         \
        .bar = (bar_limit) > 0 ? BENCH_BAR_RATIO_MAX : BENCH_BAR_NONE,          \
        .bar_value = (bar_limit),                                               \
        .arg = &(const struct bench_ops_row){(file_name), (with), (work_name)}, \
        .setup = bench_ops_setup,                                               \
        .native = bench_ops_native,                                             \
        .nacre = bench_ops_nacre,                                               \
        .teardown = bench_ops_teardown,                                         \
    }

OPS_ROW(getpid, "getpid", OPS_DYNAMIC, NULL, "getpid", 1.0, "getpid, dynamic glibc");
OPS_ROW(getpid_static, "getpid-static", OPS_STATIC, NULL, "getpid", 1.0, "getpid, static glibc");
OPS_ROW(getpid_musl, "getpid-musl", OPS_MUSL, NULL, "getpid", 1.0, "getpid, static musl");
OPS_ROW(clock, "clock", OPS_DYNAMIC, NULL, "clock", 1.0, "clock_gettime through the vDSO");
OPS_ROW(clock_static, "clock-static", OPS_STATIC, NULL, "clock", 1.0, "the same, static glibc");
OPS_ROW(clock_musl, "clock-musl", OPS_MUSL, NULL, "clock", 1.0, "the same, static musl");
OPS_ROW(pread_4k, "pread-4k", OPS_DYNAMIC, NULL, "pread-4k", 1.0,
        "pread of 4 KiB of a file the program wrote, in cache");
OPS_ROW(pread_4k_static, "pread-4k-static", OPS_STATIC, NULL, "pread-4k", 1.0,
        "the same, static glibc");
OPS_ROW(pread_4k_musl, "pread-4k-musl", OPS_MUSL, NULL, "pread-4k", 1.0, "the same, static musl");
OPS_ROW(open_close, "open-close", OPS_DYNAMIC, NULL, "open-close", 1.0,
        "open and close of that file by its path");
OPS_ROW(stat, "stat", OPS_DYNAMIC, NULL, "stat", 1.0, "stat of that file by its path");
OPS_ROW(mmap, "mmap", OPS_DYNAMIC, NULL, "mmap", 1.2,
        "mmap of 64 KiB, a write to its first page, munmap");
OPS_ROW(futex_pingpong, "futex-pingpong", OPS_DYNAMIC, NULL, "futex-pingpong", 1.2,
        "two threads wake each other by turns with futexes: there and back");
OPS_ROW(epoll, "epoll", OPS_DYNAMIC, NULL, "epoll", 1.2,
        "write to an eventfd, epoll_wait, read of it");
OPS_ROW(socketpair, "socketpair", OPS_DYNAMIC, NULL, "socketpair", 1.2,
        "64 bytes through a socket pair within a thread");
OPS_ROW(socket_pingpong, "socket-pingpong", OPS_DYNAMIC, NULL, "socket-pingpong", 0,
        "a byte to another thread and back over TCP of the host's loopback");
OPS_ROW(pipe_bw, "pipe-bw", OPS_DYNAMIC, NULL, "pipe-bw", 1 / 0.6,
        "64 KiB through a pipe from a child, written in one piece");
OPS_ROW(pipe_pingpong, "pipe-pingpong", OPS_DYNAMIC, NULL, "pipe-pingpong", 0,
        "a byte through a pipe to a child and back");
OPS_ROW(child_file, "child-file", OPS_DYNAMIC, NULL, "child-file", 0,
        "a child makes a file of 100 bytes in /tmp, reads and removes it");
OPS_ROW(shared_pingpong, "shared-pingpong", OPS_DYNAMIC, NULL, "shared-pingpong", 0,
        "two processes wake each other by turns with semaphores in shared memory: there and back");
OPS_ROW(thread_create, "thread-create", OPS_DYNAMIC, NULL, "thread-create", 2.0,
        "pthread_create and pthread_join");
OPS_ROW(py_cpu, "py-cpu", NBODY, PYTHON, "nbody", 1 / 0.98,
        "a step of five bodies in Python: plain computing");
