/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Descriptors of processes: a number with the serial of the owner's table (proc/pids.h), so that
 * they never mean another process that got the number later. Wherever a copy of one is, it means
 * the same: children inherit them by value.
 */

#include "core/types.h"

struct file;

/* `flags`: O_NONBLOCK or 0. -ESRCH: no such process. */
[[nodiscard]] int pidfd_create(int32_t pid, uint32_t flags, struct file **ret);
/* For clone with CLONE_PIDFD: a descriptor of the child in the current process's table, whose
 * number is to go to `user_fd`, which is tried (-EFAULT) but not changed. The descriptor. */
[[nodiscard]] int pidfd_of_child(int32_t pid, uint64_t user_fd);
/* Whom a file means: -EBADF, it is no such file. */
[[nodiscard]] int pidfd_of(const struct file *f, int32_t *ret_pid, uint64_t *ret_serial);
/* A watched process has ended: whoever waits for it in this enclave wakes up. Takes no lock that is
 * held across a call of the family's. */
void pidfd_ended(int32_t pid, uint64_t serial);
/* In a child that has joined its family: the copies it inherited are watched for it as well. */
void pidfd_after_join(void);
