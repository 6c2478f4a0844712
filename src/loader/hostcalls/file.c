/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A call whose arguments go to the kernel as they are, and that does not sleep (for long). */
#define PASS(name, number)                                               \
    int64_t hostcall_##name(struct loader_thread *t, const uint64_t *a)  \
    {                                                                    \
        return host_syscall6((number), a[0], a[1], a[2], a[3], a[4], 0); \
    }

/* As PASS, for descriptors that may be pipes, sockets or terminals. */
#define PASS_SLEEPING(name, number)                                            \
    int64_t hostcall_##name(struct loader_thread *t, const uint64_t *a)        \
    {                                                                          \
        return host_sleeping(t, (number), a[0], a[1], a[2], a[3], a[4], a[5]); \
    }

PASS(close, SYS_close)
PASS(pread, SYS_pread64)
PASS(pwrite, SYS_pwrite64)
PASS(fstat, SYS_fstat)
PASS(fstatat, SYS_newfstatat)
PASS(getdents, SYS_getdents64)
PASS(lseek, SYS_lseek)
PASS(ftruncate, SYS_ftruncate)
PASS(mkdirat, SYS_mkdirat)
PASS(unlinkat, SYS_unlinkat)
PASS(renameat, SYS_renameat2)
PASS(linkat, SYS_linkat)
PASS(symlinkat, SYS_symlinkat)
PASS(readlinkat, SYS_readlinkat)
PASS(utimensat, SYS_utimensat)
PASS(fallocate, SYS_fallocate)
PASS(ioctl, SYS_ioctl)
PASS(fstatfs, SYS_fstatfs)
PASS_SLEEPING(read, SYS_read)
PASS_SLEEPING(write, SYS_write)
PASS_SLEEPING(fcntl, SYS_fcntl)

int64_t hostcall_openat(struct loader_thread *t, const uint64_t *a)
{
    return host_sleeping(t, SYS_openat, a[0], a[1], a[2] | O_CLOEXEC | O_NOCTTY, a[3], 0, 0);
}

int64_t hostcall_fsync(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall1(a[1] != 0 ? SYS_fdatasync : SYS_fsync, a[0]);
}

int64_t hostcall_fchmodat(struct loader_thread *t, const uint64_t *a)
{
    return host_syscall3(SYS_fchmodat, a[0], a[1], a[2]);
}

int64_t hostcall_map_file(struct loader_thread *t, const uint64_t *a)
{
    /* Shared: the page cache itself, no copy. The kernel's choice of address never lies in the
     * ELRANGE, which is one reservation. */
    return host_syscall6(SYS_mmap, 0, a[2], PROT_READ, MAP_SHARED, a[0], a[1]);
}

int64_t hostcall_unmap(struct loader_thread *t, const uint64_t *a)
{
    if (ranges_overlap(a[0], a[1], t->loader->base, ENCLAVE_SIZE)) {
        return -EINVAL; /* the enclave's own memory goes through the EDMM calls */
    }
    return host_syscall2(SYS_munmap, a[0], a[1]);
}
