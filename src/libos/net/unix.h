/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/libos.h"
#include "libos/net/socket.h"

#define UNIX_BUFFER 212992u /* net.core.wmem_default */

/* One write, on its way or waiting to be received. */
struct packet {
    struct list node;
    size_t size;
    size_t taken; /* streams: bytes received already */
    struct file **files;
    size_t file_count;
    struct ucred_ cred;
    struct sock_addr from; /* datagrams */
    uint8_t data[];
};

struct unix_sock {
    struct socket base;
    struct refcount refs;
    struct mutex lock;
    struct waitq waiters;   /* poll, receive, accept */
    struct waitq room;      /* senders waiting for room in our queue */
    struct list queue;      /* struct packet.node */
    size_t queued;          /* bytes in it */
    struct unix_sock *peer; /* a reference */
    bool connected;         /* has or had a peer */
    bool peer_gone;
    bool closed;
    bool listening;
    bool reuse;
    uint32_t shut; /* SHUT_*_BIT */
    uint32_t send_max;
    struct list pending; /* unix_sock.pending_node of connections not accepted yet */
    uint32_t pending_count;
    uint32_t backlog;
    struct list pending_node;
    /* guarded by g_names */
    struct list name_node;
    struct sock_addr name;      /* size 0: none */
    struct sock_addr peer_name; /* what a stream's peer was called when it closed */
    bool peer_name_kept;
    struct path bound; /* a reference, for path names */
    struct ucred_ cred, peer_cred;
};

extern const struct sock_ops unix_ops;
struct unix_sock *unix_of(struct socket *s);
void unix_put(struct unix_sock *u);

/* Between unix.c and unix_message.c. */
struct unix_sock *unix_get(struct unix_sock *u);
/* The peer with a reference, or NULL. */
struct unix_sock *unix_get_peer(struct unix_sock *u);
/* The socket an address leads to, with a reference. */
[[nodiscard]] int unix_find_target(const struct sock_addr *a, int type, struct unix_sock **ret);
void unix_copy_name(struct unix_sock *u, struct sock_addr *ret);
struct ucred_ unix_own_cred(void);
void unix_packet_free(struct packet *p);
int64_t unix_send(struct socket *s, struct sock_msg *m);
int64_t unix_receive(struct socket *s, struct sock_msg *m);

/* Room for `size` more bytes in the receiver's queue? Under its lock. A single message larger than
 * the limit was refused before. */
static inline bool unix_has_room(const struct unix_sock *to, size_t size)
{
    return to->queued == 0 || to->queued + size <= UNIX_BUFFER;
}
