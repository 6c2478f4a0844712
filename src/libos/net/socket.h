/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Sockets: what all families share. AF_UNIX lives inside the enclave; AF_INET and AF_INET6 are
 * sockets of the host, always non-blocking there, with blocking and timeouts made in here.
 */

#include "libos/fs/poll.h"

#define AF_UNSPEC_  0
#define AF_UNIX_    1
#define AF_INET_    2
#define AF_INET6_   10
#define AF_NETLINK_ 16

#define SOCK_STREAM_    1
#define SOCK_DGRAM_     2
#define SOCK_RAW_       3
#define SOCK_SEQPACKET_ 5
#define SOCK_TYPE_MASK_ 0xf

#define MSG_OOB_          0x1
#define MSG_PEEK_         0x2
#define MSG_CTRUNC_       0x8
#define MSG_TRUNC_        0x20
#define MSG_DONTWAIT_     0x40
#define MSG_EOR_          0x80
#define MSG_WAITALL_      0x100
#define MSG_ERRQUEUE_     0x2000
#define MSG_NOSIGNAL_     0x4000
#define MSG_MORE_         0x8000
#define MSG_WAITFORONE_   0x10000
#define MSG_CMSG_CLOEXEC_ 0x40000000

#define SOL_SOCKET_      1
#define SOL_NETLINK_     270
#define SO_TYPE_         3
#define SO_ERROR_        4
#define SO_SNDBUF_       7
#define SO_RCVBUF_       8
#define SO_PASSCRED_     16
#define SO_PEERCRED_     17
#define SO_RCVTIMEO_     20
#define SO_SNDTIMEO_     21
#define SO_ACCEPTCONN_   30
#define SO_PROTOCOL_     38
#define SO_DOMAIN_       39
#define SO_RCVTIMEO_NEW_ 66
#define SO_SNDTIMEO_NEW_ 67

#define SOCK_ADDR_MAX 128u
#define SCM_FILES_MAX 253u

#define SHUT_RD_BIT 1u
#define SHUT_WR_BIT 2u

struct sock_addr {
    uint32_t size;
    _aligned_(8) uint8_t b[SOCK_ADDR_MAX];
};

struct ucred_ {
    int32_t pid;
    uint32_t uid, gid;
};

/* One message on its way. Files are references. */
struct sock_msg {
    struct iter it;
    int flags;     /* MSG_* of the call */
    int out_flags; /* receiving: MSG_TRUNC, MSG_EOR … */
    bool has_addr; /* sending: `addr` is the destination; receiving: it is wanted */
    struct sock_addr addr;
    struct file **files; /* kmalloc'd array */
    size_t file_count;
    bool has_cred; /* receiving: came with one; sending: set by the application */
    struct ucred_ cred;
    /* Control messages of host sockets (net/control.h), one behind the other; kmalloc'd. */
    uint8_t *control;
    size_t control_size;
    bool wants_control; /* receiving: by recvmsg */
};
/* Drops files and control messages that were not handed on. */
void sock_msg_release(struct sock_msg *m);

struct socket;

struct sock_ops {
    int (*bind)(struct socket *s, const struct sock_addr *a);
    int (*connect)(struct socket *s, const struct sock_addr *a);
    int (*listen)(struct socket *s, int backlog);
    int (*accept)(struct socket *s, bool wait, struct socket **ret);
    int (*name)(struct socket *s, bool peer, struct sock_addr *ret);
    int64_t (*send)(struct socket *s, struct sock_msg *m);
    int64_t (*receive)(struct socket *s, struct sock_msg *m);
    int (*shutdown)(struct socket *s, uint32_t how); /* SHUT_*_BIT */
    int (*get_option)(struct socket *s, int level, int option, void *val, uint32_t *size);
    int (*set_option)(struct socket *s, int level, int option, const void *val, uint32_t size);
    uint32_t (*poll)(struct socket *s, struct poll_table *pt);
    int64_t (*ioctl)(struct socket *s, uint32_t request, uint64_t arg);
    int (*host_fd)(const struct socket *s);
    bool (*watch)(struct socket *s, int32_t tid); /* as in fs/file.h; both or none */
    void (*arrived)(struct socket *s, uint8_t *data, int32_t size);
    void (*release)(struct socket *s);
};

struct socket {
    const struct sock_ops *ops;
    struct file *file; /* borrowed: the file holds the socket; NULL until sock_install */
    int family, type, protocol;
    uint64_t receive_timeout; /* ns; 0: none */
    uint64_t send_timeout;
    bool passcred;
};

[[nodiscard]] int unix_create(int type, int protocol, struct socket **ret);
[[nodiscard]] int unix_pair(int type, struct socket *ret[2]);
[[nodiscard]] int netlink_create(int type, int protocol, struct socket **ret);
/* FIONREAD, TIOCOUTQ of a unix socket. */
[[nodiscard]] int64_t unix_pending(struct socket *s, uint32_t request);
[[nodiscard]] int inet_create(int family, int type, int protocol, struct socket **ret);

/* Wraps a socket into a file; takes it over on success. */
[[nodiscard]] int sock_file(struct socket *s, uint32_t flags, struct file **ret);
/* The socket of a file, or NULL. */
struct socket *sock_of(const struct file *f);
/* Waits for readiness: -EAGAIN when it may not wait or the timeout passed, -ERESTARTSYS. A socket
 * without a file waits by its poll operation all the same. */
[[nodiscard]] int sock_wait(struct socket *s, uint32_t events, uint64_t deadline);
/* The deadline of a call that starts now: 0 for MSG_DONTWAIT and O_NONBLOCK. */
uint64_t sock_deadline(const struct socket *s, int flags, uint64_t timeout);
/* -EPIPE, and SIGPIPE unless MSG_NOSIGNAL. */
int sock_broken_pipe(int flags);
