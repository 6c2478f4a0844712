/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Pipes and FIFOs inside the enclave. */

#include "libos/fs/file.h"

struct pipe;

#define PIPE_SIZE_DEFAULT 65536u
#define PIPE_SIZE_MAX     1048576u /* for everybody, as fs.pipe-max-size */
#define PIPE_BUF_ATOMIC   4096u

/* Two open files; flags: O_NONBLOCK, O_DIRECT (packets). */
[[nodiscard]] int pipe_create(uint32_t flags, struct file **ret_read, struct file **ret_write);
/* open(2) of a FIFO: waits for the other side as Linux does. */
[[nodiscard]] int fifo_open(struct inode *inode, struct file *f);
void pipe_inode_free(struct pipe *p); /* with the FIFO's inode */

/* For splice and tee: is `f` a pipe, and its buffer. */
struct pipe *pipe_of(const struct file *f);
/* Copies up to `size` bytes from one pipe's head without (tee) or with taking them. Waits as told.
 */
[[nodiscard]] int64_t pipe_peek(struct pipe *p, void *dst, size_t size);
[[nodiscard]] int64_t pipe_resize(struct pipe *p, uint64_t size);
uint32_t pipe_size(const struct pipe *p);
uint32_t pipe_pending(struct pipe *p); /* bytes in it */
/* Twice how often it was opened for writing, ever, plus 1 while somebody has it so. */
uint64_t pipe_writers(struct pipe *p);
uint64_t fifo_writers(struct inode *inode); /* the same of a FIFO, 0 when nobody opened it yet */
