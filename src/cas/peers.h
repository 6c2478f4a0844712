/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Who is connected how often, and who asks how fast. One entry an address; a fixed number of
 * entries, so that many addresses cost no memory: when the table is full, addresses that are not in
 * it share one entry.
 */

#include "core/types.h"

struct peers;

struct peer_limits {
    unsigned connections; /* at once */
    unsigned rate;        /* requests a second; twice as many in a burst */
};

struct peers *peers_new(const struct peer_limits *limits);
void peers_free(struct peers *p);

/* `address`: 16 bytes, IPv4 mapped into IPv6; of IPv6 the first 8 count (a site has them all).
 * False: too many connections. Each true is answered by one peers_leave. */
[[nodiscard]] bool peers_enter(struct peers *p, const uint8_t address[static 16]);
void peers_leave(struct peers *p, const uint8_t address[static 16]);

/* May the peer make a request at `now_ms`? */
[[nodiscard]] bool peers_request(struct peers *p, const uint8_t address[static 16],
                                 uint64_t now_ms);
