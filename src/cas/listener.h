/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A listening socket and the threads that serve its connections. Threads are bounded in number,
 * wait a while for the next connection before they end, and each serves one connection at a time.
 * Whoever connects too often is turned away before any work is done for him.
 */

#include "base/error.h"
#include "cas/peers.h"

struct accepted {
    int fd;              /* non-blocking; stays the listener's */
    uint8_t address[16]; /* IPv4 mapped into IPv6 */
    char peer[64];       /* "192.0.2.1:40112" */
};

struct listener_counters {
    uint64_t connections;
    uint64_t now;
    uint64_t refused; /* beyond the limits */
};

struct listener_options {
    const char *address; /* "ADDRESS:PORT", "[v6]:PORT", ":PORT" */
    const char *option;  /* what the user calls it: "--listen" */
    unsigned max_connections;
    struct peer_limits limits;
    void (*serve)(void *ctx, const struct accepted *a); /* closes nothing */
    void *ctx;
    struct listener_counters *counters; /* atomically */
};

struct listener;

/* Listens, but accepts nothing yet. Options are copied, what they point to is borrowed. */
[[nodiscard]] int listener_open(const struct listener_options *options, struct listener **ret,
                                struct error **err);

int listener_fd(const struct listener *l);

/* "127.0.0.1:8081" */
void listener_name(const struct listener *l, char ret[static 64]);

/* One connection, when there is one. Never blocks for long. */
void listener_accept(struct listener *l);

/* May this peer make a request now? */
[[nodiscard]] bool listener_may_ask(struct listener *l, const struct accepted *a);

/* Stops listening and lets connections end until `deadline_ms` (of tls_now_ms). False: some have
 * not ended, and the listener must not be freed. */
[[nodiscard]] bool listener_stop(struct listener *l, uint64_t deadline_ms);

/* True while listener_stop has not been called. */
[[nodiscard]] bool listener_is_open(const struct listener *l);

void listener_free(struct listener *l);
