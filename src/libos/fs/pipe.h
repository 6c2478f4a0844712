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
/* A write of at most PIPE_SIZE_MAX bytes from library OS memory by somebody who waits elsewhere for
 * what does not fit (a member of the family): as long as there is any room all of it is taken, so
 * that it need not be sent again. Up to PIPE_BUF bytes, and packets, go as in write(2). */
[[nodiscard]] int64_t pipe_write_ahead(struct pipe *p, struct iter *from);

/* A read or write that waits in the pipe, without a thread, until it can be done: `size` bytes at
 * `data`, which is library OS memory. */
struct pipe_later {
    struct list node;
    bool write;
    uint8_t *data;
    uint32_t size, done;
    int64_t result;                       /* as of read(2) and write(2), but no signal is sent */
    void (*finish)(struct pipe_later *l); /* once, on any thread, which holds no lock; may free l */
};
/* May call `finish` before it returns. The pipe must stay until then. */
void pipe_later(struct pipe *p, struct pipe_later *l);
/* True: it is not to be finished any more, l->done bytes were written. False: it was, or is just
 * now. */
[[nodiscard]] bool pipe_never_mind(struct pipe *p, struct pipe_later *l);

/* Copies up to `size` bytes from one pipe's head without (tee) or with taking them. Waits as told.
 */
[[nodiscard]] int64_t pipe_peek(struct pipe *p, void *dst, size_t size);
[[nodiscard]] int64_t pipe_resize(struct pipe *p, uint64_t size);
uint32_t pipe_size(const struct pipe *p);
uint32_t pipe_pending(struct pipe *p); /* bytes in it */
/* Twice how often it was opened for writing, ever, plus 1 while somebody has it so. */
uint64_t pipe_writers(struct pipe *p);
uint64_t fifo_writers(struct inode *inode); /* the same of a FIFO, 0 when nobody opened it yet */
