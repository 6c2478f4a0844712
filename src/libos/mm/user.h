/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Application memory as system calls see it. A range must lie wholly in the application's part of
 * ELRANGE (never outside the enclave: nothing leaves in clear because a pointer pointed there, and
 * nothing is read from the host by accident); a fault on the way gives -EFAULT, as on Linux.
 */

#include "core/types.h"

[[nodiscard]] int user_copy_in(void *dst, uint64_t user_src, size_t size);
[[nodiscard]] int user_copy_out(uint64_t user_dst, const void *src, size_t size);
[[nodiscard]] int user_clear(uint64_t user_dst, size_t size);

/* Copies a NUL-terminated string of at most cap - 1 chars. Length, -EFAULT, -ENAMETOOLONG. */
[[nodiscard]] int user_copy_string(char *dst, size_t cap, uint64_t user_src);

/* A path argument: kmalloc'd copy (PATH_MAX), the caller's. -EFAULT, -ENAMETOOLONG, -ENOMEM. */
[[nodiscard]] int user_get_path(uint64_t user_src, char **ret);

/* struct iovec[count] copied in and checked as Linux does (UIO_MAXIOV, total <= SSIZE_MAX clamp).
 * `ret` is kmalloc'd unless it fits `fast`; free with user_iov_free. */
struct user_iovec {
    uint64_t base;
    uint64_t size;
};
#define USER_IOV_FAST 8
struct user_iov {
    size_t count;
    uint64_t total;
    struct user_iovec *v;
    struct user_iovec fast[USER_IOV_FAST];
};
[[nodiscard]] int user_get_iov(struct user_iov *ret, uint64_t user_iov, uint64_t count);
void user_iov_free(struct user_iov *iov);

/* Range check alone (no access): 0 or -EFAULT. */
[[nodiscard]] int user_check(uint64_t user, uint64_t size);

#define user_get(ret, user) user_copy_in((ret), (user), sizeof(*(ret)))
#define user_put(user, val) user_copy_out((user), (val), sizeof(*(val)))
