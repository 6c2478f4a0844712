/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * vfork and posix_spawn (CLONE_VM | CLONE_VFORK). The child makes its few calls in the enclave of
 * its parent, on the very thread that made it, which sleeps meanwhile: as a process of its own with
 * its own number, descriptors, working directory and signal state, over the parent's memory. At
 * execve the program is opened here, so that errors are the child's to see, and then handed to a
 * fresh enclave without a page of the application; a child that only exits never had an enclave.
 */

#include "libos/proc/fork.h"

struct program;

[[nodiscard]] int64_t vfork_begin(const struct clone_request *q);
/* The child ends: the parent goes on, behind its call. */
_noreturn_ void vfork_exit(uint32_t status);
/* The child executes an opened program (taken over): a new enclave runs it, and the calling system
 * call is the parent's, with the number it returns. -Exxx: the child goes on. */
[[nodiscard]] int64_t vfork_exec(struct program *p);

/* The thread that runs in the place of `t`: a child's, or itself. It stays as long as the caller
 * holds the threads_lock of `t`'s process. */
struct thread *vfork_running(struct thread *t);
/* `f` with the process of this number, if it lives here: the first one, or a child, which stays for
 * as long as `f` runs. `f` must not wait. */
void vfork_with_process(int32_t pid, void (*f)(struct process *p, const void *arg),
                        const void *arg);
/* In a child that was forked by another thread: the children of vfork stayed where they are. */
void vfork_after_fork(struct thread *t);
/* In the enclave made for a child's execve: its process becomes the first one, its thread the only
 * one, and what was its parent's is put away. */
void vfork_adopt(struct thread *self);
