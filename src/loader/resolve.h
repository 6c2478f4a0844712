/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Names to addresses without the C library's resolver, whose modules a static program cannot load:
 * numbers, /etc/hosts, then DNS as /etc/resolv.conf says (nameserver, search, ndots), over UDP and,
 * for long answers, TCP. Nothing depends on the answer being true.
 */

#include <sys/socket.h>

#include "base/error.h"

#define RESOLVE_MAX 8u

struct resolve_address {
    struct sockaddr_storage address;
    socklen_t size;
};

/* Where to look; tests name other files and another port. */
struct resolve_files {
    const char *hosts;
    const char *resolv_conf;
    uint16_t dns_port;
    int timeout_ms; /* of one question */
};
extern const struct resolve_files resolve_system;

/* "HOST[:PORT]", "[V6]:PORT" or a bare IPv6 address. `ret_host` has 256 bytes. -EINVAL with words.
 */
[[nodiscard]] int resolve_split(const char *text, uint16_t default_port, char ret_host[static 256],
                                uint16_t *ret_port, struct error **err);

/* Up to RESOLVE_MAX addresses with this port; their number. -ENOENT: no such name; -ETIMEDOUT: no
 * name server answered; others with words too. */
[[nodiscard]] int resolve_name(const struct resolve_files *files, const char *host, uint16_t port,
                               struct resolve_address ret[static RESOLVE_MAX], struct error **err);

/* "ADDRESS:PORT" or "[V6]:PORT". */
void resolve_format(const struct resolve_address *a, char *dst, size_t size);

/* --- for tests --- */

/* Takes the addresses out of a DNS answer to the question `id`, `name`, `type`. Their number, 0
 * when it has none of this type; -EBADMSG: not an answer to this; -EMSGSIZE: truncated, ask by TCP;
 * -ENOENT: no such name; -EREMOTEIO: the server failed. */
[[nodiscard]] int resolve_parse_answer(const uint8_t *data, size_t size, uint16_t id,
                                       const char *name, uint16_t type,
                                       struct resolve_address ret[static RESOLVE_MAX], size_t have);
