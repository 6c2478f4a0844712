/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "attest/der_internal.h"

#include <string.h>

#include "attest/time_internal.h"

/* X.690 10.1: the shortest form only. Lengths of up to 3 bytes cover all we accept (< 16 MiB). */
static int read_length(struct cursor *c, size_t *ret)
{
    uint8_t first;
    size_t count;
    size_t v = 0;

    if (cursor_u8(c, &first) != 0) {
        return -EBADMSG;
    }
    if (first < 0x80) {
        *ret = first;
        return 0;
    }
    count = first & 0x7f;
    if (count == 0 || count > 3) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t b;

        if (cursor_u8(c, &b) != 0 || (i == 0 && b == 0)) {
            return -EBADMSG;
        }
        v = v << 8 | b;
    }
    if (v < 0x80) {
        return -EBADMSG;
    }
    *ret = v;
    return 0;
}

int der_any(struct cursor *c, uint8_t *ret_tag, struct cursor *ret_body, struct cursor *ret_whole)
{
    struct cursor at = *c;
    struct cursor body;
    uint8_t tag;
    size_t size;

    if (cursor_u8(&at, &tag) != 0 || (tag & 0x1f) == 0x1f || read_length(&at, &size) != 0 ||
        cursor_sub(&at, size, &body) != 0) {
        return -EBADMSG;
    }
    if (ret_whole != NULL) {
        *ret_whole = cursor_make(c->p, c->left - at.left);
    }
    *c = at;
    *ret_tag = tag;
    *ret_body = body;
    return 0;
}

bool der_peek(const struct cursor *c, uint8_t tag)
{
    return c->left != 0 && c->p[0] == tag;
}

int der_enter(struct cursor *c, uint8_t tag, struct cursor *ret_body)
{
    uint8_t found;

    if (!der_peek(c, tag)) {
        return -EBADMSG;
    }
    return der_any(c, &found, ret_body, NULL);
}

int der_bool(struct cursor *c, bool *ret)
{
    struct cursor body;

    if (der_enter(c, DER_BOOLEAN, &body) != 0 || body.left != 1 ||
        (body.p[0] != 0x00 && body.p[0] != 0xff)) {
        return -EBADMSG;
    }
    *ret = body.p[0] == 0xff;
    return 0;
}

/* X.690 8.3.2: no nine leading bits alike. */
static bool is_minimal(const struct cursor *body)
{
    return body->left != 0 && (body->left == 1 || !((body->p[0] == 0x00 && body->p[1] < 0x80) ||
                                                    (body->p[0] == 0xff && body->p[1] >= 0x80)));
}

int der_u32(struct cursor *c, uint8_t tag, uint32_t *ret)
{
    struct cursor body;
    uint64_t v = 0;

    if (der_enter(c, tag, &body) != 0 || !is_minimal(&body) || body.left > 5 || body.p[0] >= 0x80) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < body.left; i++) {
        v = v << 8 | body.p[i];
    }
    if (v > UINT32_MAX) {
        return -EBADMSG;
    }
    *ret = (uint32_t)v;
    return 0;
}

int der_positive(struct cursor *c, struct cursor *ret)
{
    struct cursor body;

    if (der_enter(c, DER_INTEGER, &body) != 0 || !is_minimal(&body) || body.p[0] >= 0x80 ||
        (body.left == 1 && body.p[0] == 0)) {
        return -EBADMSG;
    }
    *ret = body;
    return 0;
}

int der_scalar(struct cursor *c, uint8_t ret[static 32])
{
    struct cursor body;

    if (der_positive(c, &body) != 0) {
        return -EBADMSG;
    }
    if (body.p[0] == 0) {
        body = cursor_make(body.p + 1, body.left - 1);
    }
    if (body.left > 32) {
        return -EBADMSG;
    }
    memset(ret, 0, 32);
    memcpy(ret + 32 - body.left, body.p, body.left);
    return 0;
}

int der_oid(struct cursor *c, struct cursor *ret)
{
    struct cursor body;
    bool start = true;

    if (der_enter(c, DER_OID, &body) != 0 || body.left == 0) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < body.left; i++) {
        if (start && body.p[i] == 0x80) {
            return -EBADMSG;
        }
        start = body.p[i] < 0x80;
    }
    if (!start) {
        return -EBADMSG;
    }
    *ret = body;
    return 0;
}

int der_bits(struct cursor *c, struct cursor *ret)
{
    struct cursor body;
    uint8_t unused;

    if (der_enter(c, DER_BIT_STRING, &body) != 0 || cursor_u8(&body, &unused) != 0 || unused != 0) {
        return -EBADMSG;
    }
    *ret = body;
    return 0;
}

int der_octets(struct cursor *c, void *dst, size_t size)
{
    struct cursor body;

    if (der_enter(c, DER_OCTET_STRING, &body) != 0 || body.left != size) {
        return -EBADMSG;
    }
    memcpy(dst, body.p, size);
    return 0;
}

int der_time(struct cursor *c, int64_t *ret)
{
    struct cursor body;
    struct att_date d;
    const char *s;
    uint8_t tag;
    int64_t t;

    if (der_any(c, &tag, &body, NULL) != 0) {
        return -EBADMSG;
    }
    s = (const char *)body.p;
    if (tag == DER_UTC_TIME && body.left == 13) {
        if (att_digits(s, 2, &d.year) != 0) {
            return -EBADMSG;
        }
        d.year += d.year < 50 ? 2000 : 1900;
        s += 2;
    } else if (tag == DER_GENERAL_TIME && body.left == 15) {
        if (att_digits(s, 4, &d.year) != 0) {
            return -EBADMSG;
        }
        s += 4;
    } else {
        return -EBADMSG;
    }
    if (att_digits(s, 2, &d.month) != 0 || att_digits(s + 2, 2, &d.day) != 0 ||
        att_digits(s + 4, 2, &d.hour) != 0 || att_digits(s + 6, 2, &d.minute) != 0 ||
        att_digits(s + 8, 2, &d.second) != 0 || s[10] != 'Z' || att_date_to_unix(&d, &t) != 0) {
        return -EBADMSG;
    }
    *ret = t;
    return 0;
}

bool der_equal(const struct cursor *a, const void *b, size_t size)
{
    return a->left == size && memcmp(a->p, b, size) == 0;
}
