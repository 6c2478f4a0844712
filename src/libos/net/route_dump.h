/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Asks the host's rtnetlink which links, addresses and routes there are (rtnetlink(7)). The answer
 * is the host's word, as the network itself is; what is guaranteed is its form: every message
 * handed on is made anew from a fixed header and attributes of known types with their exact sizes.
 */

#include "libos/lib/strbuf.h"

enum route_kind { ROUTE_LINK, ROUTE_ADDRESS, ROUTE_ROUTE };

struct nl_header {
    uint32_t len;
    uint16_t type;
    uint16_t flags;
    uint32_t seq;
    uint32_t port;
};
_Static_assert(sizeof(struct nl_header) == 16, "struct nlmsghdr");

#define NL_ERROR   2u
#define NL_DONE    3u
#define NL_REQUEST 0x1u
#define NL_MULTI   0x2u
#define NL_DUMP    0x300u

static inline size_t nl_align(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* Appends the messages, each with its header (`seq` and `port` as given, NL_MULTI set) and padded
 * to 4 bytes. `family`: 0 or the AF_* asked for. 0, or the host's error, -EIO when it does not keep
 * to the protocol, -ENOBUFS when it would not end. */
[[nodiscard]] int route_dump(enum route_kind kind, uint8_t family, uint32_t seq, uint32_t port,
                             struct strbuf *out);
