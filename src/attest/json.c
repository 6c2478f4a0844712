/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/json_internal.h"

#include <string.h>

#include "attest/time_internal.h"
#include "core/hex.h"

static void step(struct cursor *c, size_t n)
{
    *c = cursor_make(c->p + n, c->left - n);
}

static void skip_space(struct cursor *c)
{
    while (c->left != 0 &&
           (c->p[0] == ' ' || c->p[0] == '\t' || c->p[0] == '\n' || c->p[0] == '\r')) {
        step(c, 1);
    }
}

static bool take(struct cursor *c, char ch)
{
    skip_space(c);
    if (c->left == 0 || c->p[0] != (uint8_t)ch) {
        return false;
    }
    step(c, 1);
    return true;
}

int json_enter(struct cursor *c, char open)
{
    return take(c, open) ? 0 : -EBADMSG;
}

/* Shared by objects and arrays: 0 at the end, 1 when an item follows. */
static int next_item(struct cursor *c, bool *first, char close)
{
    if (take(c, close)) {
        return 0;
    }
    if (!*first && !take(c, ',')) {
        return -EBADMSG;
    }
    *first = false;
    return 1;
}

int json_member(struct cursor *c, bool *first, struct json_text *ret_name)
{
    int r = next_item(c, first, '}');

    if (r <= 0) {
        return r;
    }
    if (json_text(c, ret_name) != 0 || !take(c, ':')) {
        return -EBADMSG;
    }
    return 1;
}

int json_element(struct cursor *c, bool *first)
{
    return next_item(c, first, ']');
}

int json_text(struct cursor *c, struct json_text *ret)
{
    size_t n = 0;

    if (!take(c, '"')) {
        return -EBADMSG;
    }
    while (n < c->left && c->p[n] != '"') {
        if (c->p[n] < 0x20 || c->p[n] > 0x7e || c->p[n] == '\\') {
            return -EBADMSG;
        }
        n++;
    }
    if (n == c->left) {
        return -EBADMSG;
    }
    *ret = (struct json_text){.p = (const char *)c->p, .len = n};
    step(c, n + 1);
    return 0;
}

int json_uint(struct cursor *c, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;

    skip_space(c);
    while (n < c->left && c->p[n] >= '0' && c->p[n] <= '9') {
        if (n == 18) {
            return -EBADMSG;
        }
        v = v * 10 + (uint64_t)(c->p[n] - '0');
        n++;
    }
    if (n == 0 || (n > 1 && c->p[0] == '0') || v > max) {
        return -EBADMSG;
    }
    /* 1.0 and 1e3 are numbers, but not how these fields are written. */
    if (n < c->left && (c->p[n] == '.' || c->p[n] == 'e' || c->p[n] == 'E')) {
        return -EBADMSG;
    }
    step(c, n);
    *ret = v;
    return 0;
}

int json_hex(struct cursor *c, void *dst, size_t size)
{
    struct json_text t;

    if (json_text(c, &t) != 0 || hex_decode(dst, size, t.p, t.len) != 0) {
        return -EBADMSG;
    }
    return 0;
}

int json_time(struct cursor *c, int64_t *ret)
{
    struct json_text t;

    if (json_text(c, &t) != 0) {
        return -EBADMSG;
    }
    return att_rfc3339_parse(t.p, t.len, ret);
}

/* --- skipping --- */

static bool is_hex(uint8_t ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

static int skip_escape(struct cursor *c)
{
    uint8_t ch;

    if (cursor_u8(c, &ch) != 0) {
        return -EBADMSG;
    }
    if (ch == 'u') {
        for (size_t i = 0; i < 4; i++) {
            if (cursor_u8(c, &ch) != 0 || !is_hex(ch)) {
                return -EBADMSG;
            }
        }
        return 0;
    }
    return ch != 0 && strchr("\"\\/bfnrt", ch) != NULL ? 0 : -EBADMSG;
}

static int skip_string(struct cursor *c)
{
    uint8_t ch;

    if (!take(c, '"')) {
        return -EBADMSG;
    }
    for (;;) {
        if (cursor_u8(c, &ch) != 0 || ch < 0x20) {
            return -EBADMSG;
        }
        if (ch == '"') {
            return 0;
        }
        if (ch == '\\' && skip_escape(c) != 0) {
            return -EBADMSG;
        }
    }
}

static size_t skip_digits(struct cursor *c)
{
    size_t n = 0;

    while (n < c->left && c->p[n] >= '0' && c->p[n] <= '9') {
        n++;
    }
    step(c, n);
    return n;
}

static bool take_now(struct cursor *c, const char *any)
{
    if (c->left == 0 || c->p[0] == 0 || strchr(any, c->p[0]) == NULL) {
        return false;
    }
    step(c, 1);
    return true;
}

static int skip_number(struct cursor *c)
{
    (void)take_now(c, "-");
    if (!take_now(c, "0") && skip_digits(c) == 0) {
        return -EBADMSG;
    }
    if (take_now(c, ".") && skip_digits(c) == 0) {
        return -EBADMSG;
    }
    if (take_now(c, "eE")) {
        (void)take_now(c, "+-");
        if (skip_digits(c) == 0) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int skip_word(struct cursor *c)
{
    static const char *const words[] = {"true", "false", "null"};

    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        size_t len = strlen(words[i]);

        if (c->left >= len && memcmp(c->p, words[i], len) == 0) {
            step(c, len);
            return 0;
        }
    }
    return -EBADMSG;
}

/* One scalar, or one opening bracket (then *depth grows). */
static int skip_scalar_or_open(struct cursor *c, char *stack, size_t *depth)
{
    skip_space(c);
    if (c->left == 0) {
        return -EBADMSG;
    }
    switch (c->p[0]) {
    case '{':
    case '[':
        if (*depth == JSON_DEPTH_MAX) {
            return -EBADMSG;
        }
        stack[(*depth)++] = c->p[0] == '{' ? '}' : ']';
        step(c, 1);
        return 1;
    case '"': return skip_string(c);
    case 't':
    case 'f':
    case 'n': return skip_word(c);
    default: return skip_number(c);
    }
}

/* After a value: closes what ends here. 1 when another value follows, 0 when all is closed. */
static int skip_to_next(struct cursor *c, char *stack, size_t *depth, bool opened)
{
    while (*depth != 0) {
        char close = stack[*depth - 1];

        if (take(c, close)) {
            (*depth)--;
            opened = false;
            continue;
        }
        if (!opened && !take(c, ',')) {
            return -EBADMSG;
        }
        if (close == '}' && (skip_string(c) != 0 || !take(c, ':'))) {
            return -EBADMSG;
        }
        return 1;
    }
    return 0;
}

int json_skip(struct cursor *c, struct cursor *ret_span)
{
    char stack[JSON_DEPTH_MAX];
    size_t depth = 0;
    const uint8_t *start;
    int r;

    skip_space(c);
    start = c->p;
    do {
        r = skip_scalar_or_open(c, stack, &depth);
        if (r < 0) {
            return r;
        }
        r = skip_to_next(c, stack, &depth, r == 1);
    } while (r > 0);
    if (r == 0 && ret_span != NULL) {
        *ret_span = cursor_make(start, (size_t)(c->p - start));
    }
    return r;
}

int json_done(struct cursor *c)
{
    skip_space(c);
    return cursor_done(c);
}

bool json_is(const struct json_text *t, const char *text)
{
    return t->len == strlen(text) && memcmp(t->p, text, t->len) == 0;
}
