/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The API's connections: requests one after the other, each step with its deadline. Whoever is slow
 * is cut off.
 */

#include <stdio.h>
#include <string.h>

#include "cas/conn.h"
#include "cas/server_internal.h"

#define HANDSHAKE_MS 5000u
#define REQUESTS_MAX 1000u /* of one connection */

static const struct conn_limits limits = {
    .pause_ms = 15000,
    .head_ms = 10000,
    .body_ms = 30000,
    .answer_ms = 30000,
};

struct connection {
    struct server *server;
    const struct accepted *accepted;
    struct conn conn;
    unsigned answered; /* requests so far */
};

static void count(uint64_t *what)
{
    (void)__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

/* `body`: false for HEAD. */
static int send_answer(struct connection *c, const struct api_answer *a, bool body, bool keep)
{
    const struct conn_answer out = {
        .status = a->status,
        .type = a->type,
        .body = a->body.p,
        .size = a->body.size,
        .head_only = !body,
        .keep = keep,
    };

    count(&c->server->api.counters.requests[a->status / 100]);
    return conn_send(&c->conn, &limits, &out);
}

static void refuse(struct connection *c, int status)
{
    _cleanup_answer_ struct api_answer a = {0};
    const char *text = http_status_text(status);

    if (status == 408) {
        text = "the request took too long";
    } else if (status == 429) {
        text = "too many requests from your address; wait a second";
    }
    api_error(&a, status, text);
    (void)send_answer(c, &a, /*body=*/true, /*keep=*/false);
}

static int answer(struct connection *c, const struct http_request *req, size_t head, bool *ret_keep)
{
    struct server *s = c->server;
    _cleanup_answer_ struct api_answer a = {0};
    struct cas_caller who = {.peer = c->accepted->peer};
    const uint64_t start = tls_now_us();
    char *end = c->conn.buf + head + req->content_length;
    const char last = *end;

    who.policy.has_key = tls_peer_key(c->conn.tls, who.policy.key.b);
    *end = '\0';
    api_handle(&s->api, &who, req, c->conn.buf + head, &a);
    *end = last;
    if (a.trouble[0] != '\0') {
        fprintf(stderr, "nacre cas: %s %s: %s\n", req->method, req->path, a.trouble);
    }
    (void)__atomic_add_fetch(&s->api.counters.request_micros, tls_now_us() - start,
                             __ATOMIC_RELAXED);
    *ret_keep = req->keep_alive && ++c->answered < REQUESTS_MAX && listener_is_open(s->listener);
    return send_answer(c, &a, strcmp(req->method, "HEAD") != 0, *ret_keep);
}

static bool serve_one(struct connection *c)
{
    struct http_request req;
    bool keep = false;
    size_t head = 0;
    int r = conn_read_head(&c->conn, &limits, &req, &head);

    if (r == 0 && !listener_may_ask(c->server->listener, c->accepted)) {
        count(&c->server->api.counters.rate_limited);
        r = 429;
    }
    if (r == 0) {
        r = conn_read_body(&c->conn, &limits, &req, head);
    }
    if (r > 0) {
        refuse(c, r);
        return false;
    }
    if (r == 0) {
        r = answer(c, &req, head, &keep);
    }
    if (r == 0 && keep) {
        conn_consume(&c->conn, head + req.content_length);
    }
    return r == 0 && keep;
}

void server_serve_api(void *ctx, const struct accepted *a)
{
    struct server *s = ctx;
    struct connection c = {.server = s, .accepted = a};

    if (tls_accept(s->tls, a->fd, tls_now_ms() + HANDSHAKE_MS, &c.conn.tls) < 0) {
        count(&s->api.counters.handshakes_failed);
    } else {
        while (serve_one(&c)) {
        }
    }
    conn_close(&c.conn);
}
