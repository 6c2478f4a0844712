/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Heads of HTTP requests: refused with a status, incomplete, or a request whose parts keep their
 * promises. What is refused stays refused, and what is complete stays the same, with more bytes
 * behind it.
 */

#include "fuzz/fuzz.h"

#include <string.h>

#include "cas/http.h"

static void check_text(const char *s, size_t max)
{
    const size_t len = strnlen(s, max + 1);

    FUZZ_CHECK(len <= max);
    for (size_t i = 0; i < len; i++) {
        FUZZ_CHECK((unsigned char)s[i] >= 0x20 && s[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request req;
    struct http_request again;
    size_t head = 0;
    size_t head_again = 0;
    char *longer;
    int r = http_parse_head((const char *)data, size, &req, &head);

    FUZZ_CHECK(r == 0 || r == -EAGAIN || (r >= 400 && r <= 599));
    if (r == -EAGAIN) {
        FUZZ_CHECK(size < HTTP_HEAD_MAX);
        return 0;
    }
    if (r == 0) {
        FUZZ_CHECK(head >= 4 && head <= size && head <= HTTP_HEAD_MAX);
        FUZZ_CHECK(memcmp(data + head - 4, "\r\n\r\n", 4) == 0);
        FUZZ_CHECK(req.path[0] == '/' && req.content_length <= HTTP_BODY_MAX);
        FUZZ_CHECK(req.query_count <= HTTP_QUERY_MAX);
        check_text(req.method, sizeof(req.method) - 1);
        check_text(req.path, HTTP_PATH_MAX);
        for (size_t i = 0; i < req.query_count; i++) {
            check_text(req.query[i].name, HTTP_PATH_MAX);
            check_text(req.query[i].value, HTTP_PATH_MAX);
        }
    }
    longer = malloc(size + 8);
    FUZZ_CHECK(longer != NULL);
    memcpy(longer, data, size);
    memcpy(longer + size, "\r\n\r\nmore", 8);
    if (r == 0) {
        FUZZ_CHECK(http_parse_head(longer, size + 8, &again, &head_again) == 0);
        FUZZ_CHECK(head == head_again && strcmp(req.path, again.path) == 0);
    }
    free(longer);
    return 0;
}
