/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Control messages of host sockets (ip(7), ipv6(7), udp(7)): only those named here, with exactly
 * their sizes, pass in either direction. They carry addresses, hop limits, traffic classes and time
 * stamps, never pointers or descriptors.
 */

#include "libos/net/socket.h"

struct cmsg_head {
    uint64_t len; /* this header and the data */
    int32_t level;
    int32_t type;
};
_Static_assert(sizeof(struct cmsg_head) == 16, "struct cmsghdr of x86-64");

#define CONTROL_HOST_MAX 1024u /* of one message, both ways */

static inline uint64_t cmsg_align(uint64_t n)
{
    return (n + 7) & ~7ull;
}

/* Appends one the application sends. 0 also for levels Linux passes over; -EINVAL for a type or a
 * size its level does not have, -ENOBUFS, -ENOMEM. */
[[nodiscard]] int control_add_sent(struct sock_msg *m, const struct cmsg_head *h,
                                   const uint8_t *data);

/* What the host says came with a message, copied in: keeps what is known and well-formed in
 * m->control, drops the rest. -ENOMEM. */
[[nodiscard]] int control_take_received(struct sock_msg *m, const uint8_t *p, size_t size);

/* SO_* that make messages come with control messages. */
bool control_option(int option);
