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

/* Who owns a lock: a process, or an open file (of this process, or of a member of the family). */
struct lock_owner {
    uint64_t id;     /* an address of this process's, or the member's own number */
    uint32_t member; /* whose `id` it is; FAMILY_OWNER_ID: ours */
};
struct lock_owner lock_owner_file(const struct file *f);

/* ---- for members of the family (family/home_data.c): never wait ---- */

/* 0, -EAGAIN, -EDEADLK (only when the caller `waits`), -ENOMEM. A conflict of one who waits is kept
 * in mind, for others' deadlocks, until its owner asks for something else. */
[[nodiscard]] int locks_set_for(struct inode *inode, struct lock_owner owner, int32_t pid,
                                const struct lock_request *req, bool waits);
[[nodiscard]] int locks_test_for(struct inode *inode, struct lock_owner owner,
                                 struct lock_request *req);
void locks_drop_owner(struct inode *inode, enum lock_kind kind, struct lock_owner owner);
void locks_drop_member(struct inode *inode, uint32_t member);
/* Woken when the locks of this inode change. NULL: out of memory. */
struct waitq *locks_queue(struct inode *inode);

/* Sets or clears; waits when `wait`. 0, -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOMEM. */
[[nodiscard]] int locks_set(struct file *f, const struct lock_request *req, bool wait);
/* The first lock in the way of `req`, put into it; type F_UNLCK when there is none. */
[[nodiscard]] int locks_test(struct file *f, struct lock_request *req);
/* A descriptor was closed: the process's POSIX locks on that file go. */
void locks_closed(struct file *f);
/* The last reference of a file went: its OFD and flock locks go. */
void locks_released(struct file *f);
