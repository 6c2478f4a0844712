/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Advisory file locks: POSIX record locks (owned by the process), OFD locks and flock (owned by
 * the open file). Blocking requests wait in arrival order per range; POSIX cycles give -EDEADLK.
 */

#include "libos/fs/inode.h"

struct file;
struct inode_locks;

void locks_free(struct inode_locks *l); /* NULL is fine */

enum lock_kind { LOCK_KIND_POSIX, LOCK_KIND_OFD, LOCK_KIND_FLOCK };

struct lock_request {
    enum lock_kind kind;
    int16_t type;        /* F_RDLCK, F_WRLCK, F_UNLCK */
    uint64_t start, end; /* inclusive; UINT64_MAX: to the end of the file */
    int32_t pid;         /* out, F_GETLK: whose it is; -1 for OFD */
};

/* Sets or clears; waits when `wait`. 0, -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOMEM. */
[[nodiscard]] int locks_set(struct file *f, const struct lock_request *req, bool wait);
/* The first lock in the way of `req`, put into it; type F_UNLCK when there is none. */
[[nodiscard]] int locks_test(struct file *f, struct lock_request *req);
/* A descriptor was closed: the process's POSIX locks on that file go. */
void locks_closed(struct file *f);
/* The last reference of a file went: its OFD and flock locks go. */
void locks_released(struct file *f);
