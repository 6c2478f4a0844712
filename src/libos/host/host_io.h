/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Host calls that move application data: one exit each, and one copy between the application and
 * the bounce area. Beside host/host.h, for fs/ and net/.
 */

#include "libos/fs/iter.h"
#include "libos/host/host_mem.h"

/* One read or write, at *offset or (NULL) at the host's own position. Never more than the bounce
 * area holds: short results are usual. The iterator advances by what was moved. */
[[nodiscard]] int64_t host_read_iter(int fd, struct iter *to, const uint64_t *offset);
[[nodiscard]] int64_t host_write_iter(int fd, struct iter *from, const uint64_t *offset);
/* recvfrom and sendto. `addr` may be NULL. For datagrams that do not fit, the result of a receive
 * with MSG_TRUNC is their true length; the iterator advances by what was stored. */
[[nodiscard]] int64_t host_recv_iter(int fd, struct iter *to, int flags, void *addr,
                                     uint32_t *addr_size);
[[nodiscard]] int64_t host_send_iter(int fd, struct iter *from, int flags, const void *addr,
                                     uint32_t addr_size);

/* sendmsg and recvmsg: as above, with control messages. Receiving, the sizes are the room there is
 * and then what came: `control` is what the host says, not looked into. */
struct host_message {
    void *addr; /* NULL: none, or not wanted */
    uint32_t addr_size;
    void *control;
    uint32_t control_size; /* at most HOST_CONTROL_MAX */
};
#define HOST_CONTROL_MAX 1024u
[[nodiscard]] int64_t host_recv_message(int fd, struct iter *to, int flags, struct host_message *m);
[[nodiscard]] int64_t host_send_message(int fd, struct iter *from, int flags,
                                        const struct host_message *m);

/* A host stream read in large pieces, for messages that follow each other: what was read lies
 * outside until it is copied in, once. Holds a piece of the bounce area until it is closed. */
struct host_stream {
    int fd;
    struct bounce bounce;
    size_t at, end;
};
void host_stream_open(struct host_stream *s, int fd, size_t room);
/* All of `size` bytes (a multiple of 8): 0, -EPIPE (the end), -EINTR (a signal is filed: call
 * again; *done tells how far it came), -errno. */
[[nodiscard]] int host_stream_read(struct host_stream *s, void *dst, size_t size, size_t *done);
void host_stream_close(struct host_stream *s);

/* Between an iterator and untrusted memory, through a small buffer inside where application memory
 * is involved. Bytes moved. */
size_t iter_from_bounce(struct iter *to, const void *untrusted, size_t size);
size_t iter_to_bounce(struct iter *from, void *untrusted, size_t size);

/* struct statfs of x86-64. */
struct host_statfs {
    int64_t type, bsize;
    uint64_t blocks, bfree, bavail, files, ffree;
    int32_t fsid[2];
    int64_t namelen, frsize, flags, spare[4];
};
[[nodiscard]] int host_fstatfs(int fd, struct host_statfs *ret);
