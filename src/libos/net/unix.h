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
    struct sock_addr name; /* size 0: none */
    struct path bound;     /* a reference, for path names */
    struct ucred_ cred, peer_cred;
};

extern const struct sock_ops unix_ops;
struct unix_sock *unix_of(struct socket *s);
void unix_put(struct unix_sock *u);
