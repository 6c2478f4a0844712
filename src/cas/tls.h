/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * TLS of the server: non-blocking sockets with a deadline for every step, so that nobody can hold a
 * connection by being slow. Clients of the API may show any certificate; what counts is its key,
 * which the handshake proves. Clients of provisioning show none, and speak TLS 1.3.
 */

#include "cas/keys.h"

struct tls_context; /* shared by all connections */

enum tls_use {
    TLS_FOR_API,
    TLS_FOR_PROVISIONING,
};

[[nodiscard]] int tls_context_new(const struct cas_home *home, enum tls_use use,
                                  struct tls_context **ret, struct error **err);
void tls_context_free(struct tls_context *c);

struct tls_conn;

/* Shakes hands on `fd` (non-blocking; stays the caller's) until `deadline_ms` (of tls_now_ms).
 * -ETIMEDOUT, -EPROTO. */
[[nodiscard]] int tls_accept(struct tls_context *c, int fd, uint64_t deadline_ms,
                             struct tls_conn **ret);
/* Says goodbye without waiting for an answer. */
void tls_close(struct tls_conn *conn);

/* Reads at least one byte. 0: the peer is gone. -ETIMEDOUT, -EPROTO. */
[[nodiscard]] int tls_read(struct tls_conn *conn, void *buf, size_t size, uint64_t deadline_ms);
[[nodiscard]] int tls_write(struct tls_conn *conn, const void *buf, size_t size,
                            uint64_t deadline_ms);

/* The key of the client's certificate; false when it showed none. */
bool tls_peer_key(const struct tls_conn *conn, uint8_t ret_spki_hash[static 32]);

/* Keying material of this very connection (RFC 8446 section 7.5) with an empty context. */
[[nodiscard]] int tls_exporter(const struct tls_conn *conn, const char *label,
                               uint8_t ret[static 32]);

/* Monotonic. */
uint64_t tls_now_ms(void);
uint64_t tls_now_us(void);
