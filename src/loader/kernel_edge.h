/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Everything the kernel backend asks of the system, so that a test can stand in for a machine with
 * SGX. Each returns what the system call returns, -errno instead of -1.
 */

#include <sys/types.h>

#include "base/sgx_backend.h"

struct kernel_edge {
    int (*open)(const char *path, int flags);
    void (*close)(int fd);
    int (*ioctl)(int fd, unsigned long request, void *argument);
    /* Mapped at `at`; *ret is that address. Fails with -EEXIST when it is taken. */
    int (*map)(uint64_t at, size_t size, int prot, int flags, int fd);
    int (*protect)(uint64_t at, size_t size, int prot);
    int (*unmap)(uint64_t at, size_t size);
    /* The vDSO image of this process, NULL when there is none. */
    const uint8_t *(*vdso)(void);
    uint64_t (*mmap_min_addr)(void);
    /* CPUID: the processor has SGX2 (EDMM). */
    bool (*has_sgx2)(void);
    /* One request and its answer over the AESM socket; *ret is malloc'd, the caller's. */
    int (*aesm)(const uint8_t *request, size_t size, uint8_t **ret, size_t *ret_size);
};

/* The system itself. */
extern const struct kernel_edge kernel_edge_system;

/* Whom the backend asks; tests put their own in place. NULL: the system. Forgets what was probed.
 */
void kernel_edge_use(const struct kernel_edge *edge);

extern const struct sgx_backend sgx_backend_kernel;
