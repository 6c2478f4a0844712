/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ct.h"

/* A head and a small body go out in one piece: one packet, one system call. */
#define TOGETHER_MAX ((size_t)16 * 1024)

static int grow(struct conn *c, size_t need)
{
    char *grown;

    if (c->cap >= need + 1) {
        return 0;
    }
    grown = malloc(need + 1);
    if (grown == NULL) {
        return -ENOMEM;
    }
    if (c->used > 0) {
        memcpy(grown, c->buf, c->used);
    }
    if (c->buf != NULL) {
        ct_wipe(c->buf, c->cap); /* documents hold secrets */
    }
    free(c->buf);
    c->buf = grown;
    c->cap = need + 1;
    return 0;
}

static int read_more(struct conn *c, size_t up_to, uint64_t deadline)
{
    int n = grow(c, up_to);

    if (n < 0) {
        return n;
    }
    n = tls_read(c->tls, c->buf + c->used, up_to - c->used, deadline);
    if (n > 0) {
        c->used += (size_t)n;
        c->buf[c->used] = '\0';
    }
    return n == 0 ? -ECONNRESET : MIN(n, 0);
}

int conn_read_head(struct conn *c, const struct conn_limits *limits, struct http_request *req,
                   size_t *ret_size)
{
    const uint64_t start = tls_now_ms();
    uint64_t deadline = start + limits->pause_ms;

    c->begun_ms = 0;
    for (;;) {
        int r;

        if (c->used > 0 && c->begun_ms == 0) {
            c->begun_ms = tls_now_ms();
            deadline = c->begun_ms + limits->head_ms; /* for the whole head, not for each byte */
        }
        r = c->used > 0 ? http_parse_head(c->buf, c->used, req, ret_size) : -EAGAIN;
        if (r != -EAGAIN) {
            return r;
        }
        r = read_more(c, HTTP_HEAD_MAX, deadline);
        if (r == -ETIMEDOUT && c->used > 0) {
            return 408;
        }
        if (r < 0) {
            return r;
        }
    }
}

int conn_read_body(struct conn *c, const struct conn_limits *limits, const struct http_request *req,
                   size_t head)
{
    const size_t need = head + req->content_length;
    const uint64_t deadline = tls_now_ms() + limits->body_ms;
    int r = 0;

    if (req->expect_continue && c->used < need) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

        r = tls_write(c->tls, go_on, strlen(go_on), deadline);
    }
    while (r == 0 && c->used < need) {
        r = read_more(c, MAX(need, HTTP_HEAD_MAX), deadline);
    }
    return r == -ETIMEDOUT ? 408 : r;
}

void conn_consume(struct conn *c, size_t size)
{
    memmove(c->buf, c->buf + size, c->used - size);
    ct_wipe(c->buf + c->used - size, size);
    c->used -= size;
}

int conn_send(struct conn *c, const struct conn_limits *limits, const struct conn_answer *a)
{
    const uint64_t deadline = tls_now_ms() + limits->answer_ms;
    const size_t size = a->head_only ? 0 : a->size;
    char text[1024];
    const int n = snprintf(text, sizeof(text),
                           "HTTP/1.1 %d %s\r\n"
                           "Content-Type: %s\r\n"
                           "Content-Length: %zu\r\n"
                           "Cache-Control: no-store\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Strict-Transport-Security: max-age=31536000\r\n"
                           "%s"
                           "Connection: %s\r\n\r\n",
                           a->status, http_status_text(a->status), a->type, a->size,
                           a->headers != NULL ? a->headers : "", a->keep ? "keep-alive" : "close");
    char *together;
    int r;

    if (n < 0 || (size_t)n >= sizeof(text)) {
        return -EMSGSIZE;
    }
    together = size > 0 && size <= TOGETHER_MAX ? malloc((size_t)n + size) : NULL;
    if (together != NULL) {
        memcpy(together, text, (size_t)n);
        memcpy(together + n, a->body, size);
        r = tls_write(c->tls, together, (size_t)n + size, deadline);
        ct_wipe(together, (size_t)n + size);
        free(together);
        return r;
    }
    r = tls_write(c->tls, text, (size_t)n, deadline);
    return r == 0 && size > 0 ? tls_write(c->tls, a->body, size, deadline) : r;
}

void conn_close(struct conn *c)
{
    tls_close(c->tls);
    if (c->buf != NULL) {
        ct_wipe(c->buf, c->cap);
    }
    free(c->buf);
    *c = (struct conn){0};
}
