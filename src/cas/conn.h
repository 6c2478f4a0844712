/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * HTTP requests on one TLS connection: a deadline for each step, one buffer that is wiped. What is
 * answered, and how refusals look, is the caller's.
 */

#include "cas/http.h"
#include "cas/tls.h"

struct conn {
    struct tls_conn *tls; /* owned */
    char *buf;            /* HTTP_HEAD_MAX + HTTP_BODY_MAX at most */
    size_t used;
    size_t cap;
    uint64_t begun_ms; /* the first byte of the present request was there; 0: not yet */
};

struct conn_limits {
    unsigned pause_ms; /* for the first byte of a request */
    unsigned head_ms;  /* for the whole head from then on */
    unsigned body_ms;
    unsigned answer_ms;
};

/* The head of the next request. 0 with its length in *ret_size; a positive number: refuse with this
 * status and close; negative: the connection is over. */
[[nodiscard]] int conn_read_head(struct conn *c, const struct conn_limits *limits,
                                 struct http_request *req, size_t *ret_size);

/* The rest of the request, whose body then stands at c->buf + head with a NUL behind it. Results as
 * above. */
[[nodiscard]] int conn_read_body(struct conn *c, const struct conn_limits *limits,
                                 const struct http_request *req, size_t head);

/* Drops a request of `size` bytes; what is behind it stays for the next one. */
void conn_consume(struct conn *c, size_t size);

struct conn_answer {
    int status;
    const char *type;
    const char *headers; /* further ones, each with CR LF; NULL: none */
    const void *body;
    size_t size;
    bool head_only; /* the length, but not the body: RFC 9110 section 9.3.2 */
    bool keep;      /* the connection stays open */
};

[[nodiscard]] int conn_send(struct conn *c, const struct conn_limits *limits,
                            const struct conn_answer *a);

/* Closes TLS and wipes the buffer; the socket is the caller's. */
void conn_close(struct conn *c);
