/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * fork: a process of the host with a fresh enclave (loader), a handshake and a snapshot
 * (proc/snapshot.h) make a child that goes on where its parent called.
 */

#include "libos/proc/thread.h"

struct thread_page;
struct program;

struct clone_request {
    uint64_t flags;
    uint64_t exit_signal;
    uint64_t stack; /* stack pointer of the child, 0: the caller's */
    uint64_t pidfd; /* CLONE_PIDFD: where its number goes */
    uint64_t parent_tid;
    uint64_t child_tid;
    uint64_t tls;
};

/* The child's number in the parent; in the child the call returns 0 from another place. */
[[nodiscard]] int64_t fork_process(const struct clone_request *q);
/* The current process, a child of vfork, gets an enclave of its own that executes `p`. */
[[nodiscard]] int fork_exec(struct program *p);
/* For both: a number and an entry in the owner's table. `member`: where it will live. */
[[nodiscard]] int32_t fork_number(const struct clone_request *q, uint32_t member);

/* The child's enclave, from its first instructions (boot.c): receives its state and becomes what it
 * says. `fd`: BOOT_FLAG_FORK_CHILD's stream. */
_noreturn_ void fork_child_start(struct thread_page *tp, int fd);
