/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Arguments of the socket calls. */

#include "libos/net/socket.h"

/* The socket of a descriptor and its file, with a reference of the file. -EBADF, -ENOTSOCK. */
[[nodiscard]] int sock_get(int fd, struct file **ret_file, struct socket **ret);
[[nodiscard]] int sock_get_addr(uint64_t user, uint64_t size, struct sock_addr *ret);
/* Writes an address cut to the room at *user_size, and its true size there. */
[[nodiscard]] int sock_put_addr(const struct sock_addr *a, uint64_t user, uint64_t user_size);
