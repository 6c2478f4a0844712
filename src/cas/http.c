/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cas/http.h"

#include <string.h>
#include <strings.h>

#include "core/overflow.h"

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Error";
}

/* RFC 9110 section 5.6.2 */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -EINVAL;
}

/* Percent-decodes; `plus`: '+' is a blank, as in queries. Refuses control characters however they
 * are written. Returns a status or 0. */
static int decode(const char *s, size_t len, bool plus, char *ret, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c == '%') {
            const int hi = i + 2 < len ? hex_digit(s[i + 1]) : -EINVAL;
            const int lo = i + 2 < len ? hex_digit(s[i + 2]) : -EINVAL;

            if (hi < 0 || lo < 0) {
                return 400;
            }
            c = (unsigned char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f) {
            return 400;
        }
        if (at + 1 >= size) {
            return 414;
        }
        ret[at++] = (char)c;
    }
    ret[at] = '\0';
    return 0;
}

static int parse_query(const char *s, size_t len, struct http_request *ret)
{
    size_t used = 0;

    while (len > 0) {
        const char *amp = memchr(s, '&', len);
        const size_t part = amp != NULL ? (size_t)(amp - s) : len;
        const char *eq = memchr(s, '=', part);
        const size_t name = eq != NULL ? (size_t)(eq - s) : part;
        struct http_param *p = &ret->query[ret->query_count];
        int status;

        if (ret->query_count == HTTP_QUERY_MAX) {
            return 400;
        }
        p->name = ret->query_text + used;
        status = decode(s, name, true, ret->query_text + used, sizeof(ret->query_text) - used);
        if (status != 0) {
            return status;
        }
        used += strlen(p->name) + 1;
        p->value = ret->query_text + used;
        if (used >= sizeof(ret->query_text)) {
            return 414;
        }
        status = decode(eq != NULL ? eq + 1 : "", eq != NULL ? part - name - 1 : 0, true,
                        ret->query_text + used, sizeof(ret->query_text) - used);
        if (status != 0) {
            return status;
        }
        used += strlen(p->value) + 1;
        ret->query_count++;
        s += amp != NULL ? part + 1 : part;
        len -= amp != NULL ? part + 1 : part;
        if (used >= sizeof(ret->query_text) && len > 0) {
            return 414;
        }
    }
    return 0;
}

static int parse_request_line(const char *line, size_t len, struct http_request *ret)
{
    const char *space = memchr(line, ' ', len);
    const char *target;
    const char *end;
    const char *question;
    size_t method_len;
    size_t target_len;
    int status;

    if (space == NULL || space == line) {
        return 400;
    }
    method_len = (size_t)(space - line);
    for (size_t i = 0; i < method_len; i++) {
        if (!is_token_char(line[i])) {
            return 400;
        }
    }
    if (method_len >= sizeof(ret->method)) {
        return 501;
    }
    memcpy(ret->method, line, method_len);
    target = space + 1;
    end = memchr(target, ' ', len - method_len - 1);
    if (end == NULL || *target != '/') {
        return 400;
    }
    if ((size_t)(line + len - end - 1) != 8 || strncmp(end + 1, "HTTP/1.", 7) != 0) {
        return (size_t)(line + len - end - 1) >= 5 && strncmp(end + 1, "HTTP/", 5) == 0 ? 505 : 400;
    }
    if (end[8] != '0' && end[8] != '1') {
        return 505;
    }
    ret->keep_alive = end[8] == '1';
    target_len = (size_t)(end - target);
    question = memchr(target, '?', target_len);
    status = decode(target, question != NULL ? (size_t)(question - target) : target_len, false,
                    ret->path, sizeof(ret->path));
    if (status == 0 && question != NULL) {
        status = parse_query(question + 1, (size_t)(end - question - 1), ret);
    }
    return status;
}

struct head_state {
    struct http_request *req;
    size_t headers;
    bool has_length;
    bool has_host;
};

static bool is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

static int parse_length(struct head_state *st, const char *value, size_t len)
{
    size_t n = 0;

    if (st->has_length || len == 0) {
        return 400; /* two lengths are how requests are smuggled */
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return 400;
        }
        if (mul_overflow(n, (size_t)10, &n) || add_overflow(n, (size_t)(value[i] - '0'), &n)) {
            return 413;
        }
    }
    st->has_length = true;
    st->req->content_length = n;
    return n > HTTP_BODY_MAX ? 413 : 0;
}

/* Kept in the request: what it stands in moves when the body is read. */
static int keep_signature(struct http_request *req, const char *value, size_t len)
{
    if (req->signature_count == HTTP_SIGNATURES_MAX ||
        len >= sizeof(req->signature_text) - req->signature_used) {
        return 431;
    }
    req->signatures[req->signature_count++] = (uint16_t)req->signature_used;
    memcpy(req->signature_text + req->signature_used, value, len);
    req->signature_text[req->signature_used + len] = '\0';
    req->signature_used += len + 1;
    return 0;
}

static int parse_header(struct head_state *st, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len;
    const char *value;
    size_t value_len;

    if (++st->headers > HTTP_HEADERS_MAX) {
        return 431;
    }
    if (colon == NULL || colon == line) {
        return 400;
    }
    name_len = (size_t)(colon - line);
    for (size_t i = 0; i < name_len; i++) {
        if (!is_token_char(line[i])) {
            return 400; /* a blank before the colon, a folded line */
        }
    }
    value = colon + 1;
    value_len = len - name_len - 1;
    while (value_len > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        value_len--;
    }
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t')) {
        value_len--;
    }
    for (size_t i = 0; i < value_len; i++) {
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f) {
            return 400;
        }
    }
    if (is_word(line, name_len, "content-length")) {
        return parse_length(st, value, value_len);
    }
    if (is_word(line, name_len, "transfer-encoding")) {
        return 411; /* send the length */
    }
    if (is_word(line, name_len, "connection")) {
        if (is_word(value, value_len, "close")) {
            st->req->keep_alive = false;
        }
        return 0;
    }
    if (is_word(line, name_len, "expect")) {
        st->req->expect_continue = is_word(value, value_len, "100-continue");
        return st->req->expect_continue ? 0 : 417;
    }
    if (is_word(line, name_len, "nacre-signature")) {
        return keep_signature(st->req, value, value_len);
    }
    if (is_word(line, name_len, "host")) {
        const bool twice = st->has_host;

        st->has_host = true;
        return twice ? 400 : 0;
    }
    return 0;
}

int http_parse_head(const char *buf, size_t size, struct http_request *ret, size_t *ret_size)
{
    const char *end = memmem(buf, MIN(size, HTTP_HEAD_MAX), "\r\n\r\n", 4);
    struct head_state st = {.req = ret};
    const char *line = buf;
    bool first = true;

    if (end == NULL) {
        /* Do not wait for the end of what is no request at all. */
        if (size > 0 && !is_token_char(buf[0])) {
            return 400;
        }
        return size >= HTTP_HEAD_MAX ? 431 : -EAGAIN;
    }
    *ret = (struct http_request){0};
    while (line < end + 2) {
        const char *eol = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        const size_t len = (size_t)(eol - line);
        int status;

        if (memchr(line, '\n', len) != NULL || memchr(line, '\0', len) != NULL) {
            return 400;
        }
        status = first ? parse_request_line(line, len, ret) : parse_header(&st, line, len);
        if (status != 0) {
            return status;
        }
        first = false;
        line = eol + 2;
    }
    if (ret->keep_alive && !st.has_host) {
        /* HTTP/1.1 without Host (RFC 9112 section 3.2). */
        return 400;
    }
    *ret_size = (size_t)(end + 4 - buf);
    return 0;
}

const char *http_query(const struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->query_count; i++) {
        if (strcmp(req->query[i].name, name) == 0) {
            return req->query[i].value;
        }
    }
    return NULL;
}
