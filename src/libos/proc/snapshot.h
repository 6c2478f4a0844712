/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The state of an enclave on its way into the enclave of a child (docs/processes.md, "The
 * snapshot"): sealed frames over a stream of the host,
 *
 *   frame = le64 size ‖ tag(16) ‖ ciphertext(size)      AES-256-GCM, nonce = frame number
 *
 * the size, a multiple of 8, authenticated with the frame, one key for each direction, each used
 * once. A frame that was changed, left out, repeated, moved or cut fails its tag, and with it the
 * snapshot as a whole.
 *
 * The state itself is memory: the pages of the application, the heap of the library OS and its
 * data, each at the address where the parent has it. Both enclaves are the same code at the same
 * base (the handshake proved the code, the first frame says the base), so pointers stay good, and
 * nothing of a process's state can be forgotten.
 */

#include "libos/proc/handshake.h"

#define SNAPSHOT_FRAME_MAX ((size_t)128 << 10)

#define SNAPSHOT_HEAD 24u

/* Whole messages over the host's stream. -EPIPE when it ended, or -errno. While the host files
 * signals its calls return at once: they are taken over (`early`: remembered, where there is no
 * process yet) and the call is made again. */
struct snapshot_io {
    int fd;
    bool early;
    uint64_t signals; /* taken while `early` */
};
[[nodiscard]] int snapshot_write(void *io, const void *p, size_t size);
[[nodiscard]] int snapshot_read(void *io, void *p, size_t size);

/* The parent: proves itself, makes sure of the child, sends everything, and returns when the child
 * said that it stands. `with_application`: its pages too (fork), or the library OS alone (a child
 * that is about to execute another program). The caller runs alone in its enclave and has left in
 * static data what the child needs to go on. *ret: for snapshot_await; wipe them. */
[[nodiscard]] int snapshot_save(int fd, bool with_application, struct handshake_keys *ret);
/* The child says how far it is. */
#define SNAPSHOT_STANDS 1u
#define SNAPSHOT_JOINED 2u
[[nodiscard]] int snapshot_await(int fd, const struct handshake_keys *keys, uint64_t what);

/* The child, on its first stack, without a heap: afterwards every word of static data and heap is
 * the parent's. Does not return when it fails: there is nothing to go back to. */
struct snapshot_link {
    struct snapshot_io io;
    struct handshake_keys keys;
    uint64_t committed; /* pages in this enclave */
};
void snapshot_load(int fd, struct snapshot_link *ret);
/* In the child: frees what the parent had allocated for the transfer. */
void snapshot_after_fork(void);
[[nodiscard]] int snapshot_tell(struct snapshot_link *link, uint64_t what);
/* Wipes the keys and closes the stream. */
void snapshot_part(struct snapshot_link *link);
