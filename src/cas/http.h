/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * HTTP/1.1 requests (RFC 9112), the strict part of it that REST clients send: no chunked bodies, no
 * folded headers, no pipelining past a body. Pure: bytes in, a request or a status code out.
 */

#include "core/types.h"

#define HTTP_HEAD_MAX    ((size_t)16 * 1024) /* request line and headers */
#define HTTP_BODY_MAX    ((size_t)2 * 1024 * 1024)
#define HTTP_HEADERS_MAX 64
#define HTTP_PATH_MAX    1024 /* characters, decoded */
#define HTTP_QUERY_MAX   8    /* parameters */

#define HTTP_SIGNATURES_MAX     8
#define HTTP_SIGNATURE_TEXT_MAX ((size_t)8 * 1024) /* of all of them */

struct http_param {
    const char *name; /* decoded; in the request's own text */
    const char *value;
};

struct http_request {
    char method[8];
    char path[HTTP_PATH_MAX + 1]; /* decoded, begins with '/' */
    char query_text[HTTP_PATH_MAX + 1];
    size_t query_count;
    struct http_param query[HTTP_QUERY_MAX];
    size_t signature_count;                   /* Nacre-Signature headers: signatures.h */
    uint16_t signatures[HTTP_SIGNATURES_MAX]; /* where they begin in signature_text */
    size_t signature_used;
    char signature_text[HTTP_SIGNATURE_TEXT_MAX]; /* each with a NUL */
    size_t content_length;
    bool keep_alive;
    bool expect_continue;
};

/* Reads the head of a request out of `size` bytes. Returns 0 with *ret and its length in *ret_size;
 * -EAGAIN: more bytes are needed; a positive number: the request is refused with this status. */
[[nodiscard]] int http_parse_head(const char *buf, size_t size, struct http_request *ret,
                                  size_t *ret_size);

/* The value of a parameter, or NULL. */
const char *http_query(const struct http_request *req, const char *name);

/* "Not Found" of 404. */
const char *http_status_text(int status);
