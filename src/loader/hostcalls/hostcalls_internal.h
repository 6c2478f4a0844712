/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * One function per row of abi/hostcall.tbl.h. Arguments arrive as the enclave wrote them; memory
 * they point to is ours, so a bad pointer is the kernel's -EFAULT. Raw system calls: results are
 * -errno already, nothing allocates, nothing touches errno.
 */

#include <sys/syscall.h>

#include "loader/run_internal.h"

#define X(number, name, args, description) \
    int64_t hostcall_##name(struct loader_thread *t, const uint64_t *a);
#include "abi/hostcall.tbl.h"
#undef X

static inline int64_t host_syscall6(long number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                                    uint64_t a4, uint64_t a5)
{
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    register uint64_t r9 __asm__("r9") = a5;
    int64_t ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(number), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

#define host_syscall0(n)                host_syscall6((n), 0, 0, 0, 0, 0, 0)
#define host_syscall1(n, a)             host_syscall6((n), (a), 0, 0, 0, 0, 0)
#define host_syscall2(n, a, b)          host_syscall6((n), (a), (b), 0, 0, 0, 0)
#define host_syscall3(n, a, b, c)       host_syscall6((n), (a), (b), (c), 0, 0, 0)
#define host_syscall4(n, a, b, c, d)    host_syscall6((n), (a), (b), (c), (d), 0, 0)
#define host_syscall5(n, a, b, c, d, e) host_syscall6((n), (a), (b), (c), (d), (e), 0)

/* A call that may sleep: turned back with -EINTR while a host signal is pending for the thread. */
static inline int64_t host_sleeping(struct loader_thread *t, long number, uint64_t a0, uint64_t a1,
                                    uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};

    return loader_syscall_point(block_signals(t->block), number, args);
}

static inline struct timespec host_timespec(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}
