/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The provisioning door: TLS 1.3, no client certificate, one request on one connection. A client
 * that is refused hears the same words whatever the reason was.
 */

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cas/conn.h"
#include "cas/provision.h"
#include "cas/server_internal.h"
#include "core/ct.h"

#define HANDSHAKE_MS 5000u
#define RETRY_AFTER  "Retry-After: 1\r\n"

static const struct conn_limits limits = {
    /* The quote is made between the handshake and the request, and with AESM that may take long. */
    .pause_ms = 20000,
    .head_ms = 5000,
    .body_ms = 10000,
    .answer_ms = 20000,
};

static void count(uint64_t *what)
{
    (void)__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

static void answer(struct server *s, struct conn *c, const struct conn_answer *a)
{
    count(&s->api.counters.provision_answers[MIN(a->status / 100, 5)]);
    (void)conn_send(c, &limits, a);
}

static void refuse(struct server *s, struct conn *c, int status, const char *code,
                   const char *message, const char *reference, const char *headers)
{
    json_t *j =
        json_pack("{s:s, s:s, s:s*}", "error", code, "message", message, "reference", reference);
    _cleanup_free_ char *body = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;
    const struct conn_answer a = {
        .status = status,
        .type = "application/json",
        .headers = headers,
        .body = body != NULL ? body : "{}",
        .size = body != NULL ? strlen(body) : 2,
    };

    json_decref(j);
    answer(s, c, &a);
}

static void malformed(struct server *s, struct conn *c, int status)
{
    refuse(s, c, status, "malformed", http_status_text(status), NULL, NULL);
}

/* The status to refuse a head with, or 0. */
static int check_head(const struct http_request *req)
{
    if (strcmp(req->path, "/v1/provision") != 0 || req->query_count > 0) {
        return 404;
    }
    if (strcmp(req->method, "POST") != 0) {
        return 405;
    }
    return req->content_length > PROVISION_BODY_MAX ? 413 : 0;
}

static void provision(struct server *s, struct conn *c, const struct accepted *a, const char *body,
                      size_t size)
{
    _cleanup_provision_request_ struct provision_request req = {0};
    _cleanup_provision_result_ struct provision_result result = {0};
    _cleanup_error_ struct error *err = NULL;
    uint8_t exporter[PROVISION_EXPORTER];
    uint8_t expected[64];
    struct provision_call call = {.request = &req, .expected = expected, .peer = a->peer};
    int r = provision_parse(body, size, &req, &err);

    if (r < 0) {
        refuse(s, c, r == -EFBIG ? 413 : 400, "malformed", error_text(err), NULL, NULL);
        return;
    }
    r = tls_exporter(c->tls, PROVISION_LABEL, exporter);
    if (r == 0) {
        provision_report_data(exporter, req.session, req.service, expected);
        ct_wipe(exporter, sizeof(exporter));
        r = cas_provision(s->api.cas, s->api.evidence, &call, &result, &err);
    }
    if (r == 0) {
        const struct conn_answer ok = {
            .status = 200,
            .type = "application/json",
            .body = result.document.p,
            .size = result.document.size,
        };

        answer(s, c, &ok);
    } else if (r == -EACCES) {
        refuse(s, c, 403, "denied", "the service is not provisioned", result.reference, NULL);
    } else {
        fprintf(stderr, "nacre cas: provisioning %s/%s (reference %s): %s\n", req.session,
                req.service, result.reference, error_text(err));
        refuse(s, c, 503, "unavailable", "try again later", result.reference, RETRY_AFTER);
    }
}

static void serve_request(struct server *s, struct conn *c, const struct accepted *a)
{
    struct http_request req;
    size_t head;
    int r = conn_read_head(c, &limits, &req, &head);

    if (r == 0) {
        r = check_head(&req);
    }
    if (r != 0) {
        if (r > 0) {
            malformed(s, c, r);
        }
        return;
    }
    if (!listener_may_ask(s->provisioning, a)) {
        count(&s->api.counters.rate_limited);
        refuse(s, c, 429, "busy", "too many requests from this address", NULL, RETRY_AFTER);
        return;
    }
    r = conn_read_body(c, &limits, &req, head);
    if (r == 0 && c->used != head + req.content_length) {
        r = 400; /* one request on one connection */
    }
    if (r == 0) {
        const uint64_t start = tls_now_us();

        provision(s, c, a, c->buf + head, req.content_length);
        (void)__atomic_add_fetch(&s->api.counters.provision_micros, tls_now_us() - start,
                                 __ATOMIC_RELAXED);
    } else if (r > 0) {
        malformed(s, c, r);
    }
}

void server_serve_provisioning(void *ctx, const struct accepted *a)
{
    struct server *s = ctx;
    struct conn c = {0};

    if (tls_accept(s->provision_tls, a->fd, tls_now_ms() + HANDSHAKE_MS, &c.tls) < 0) {
        count(&s->api.counters.handshakes_failed);
    } else {
        serve_request(s, &c, a);
    }
    conn_close(&c);
}
