/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Replacing macros by secrets. Buffers that held secrets are wiped before they are freed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ct.h"
#include "policy/eval.h"
#include "policy/resolve.h"
#include "policy/text.h"

struct secret_buf {
    uint8_t *p;
    size_t size;
    size_t cap;
};

static void buf_clear(struct secret_buf *b)
{
    if (b->p != NULL) {
        ct_wipe(b->p, b->cap);
    }
    free(b->p);
    *b = (struct secret_buf){0};
}
#define _cleanup_buf_ _cleanup_(buf_clear)

static int buf_add(struct secret_buf *b, const void *data, size_t size, struct error **err)
{
    if (size > POL_EXPANDED_MAX || b->size + size > POL_EXPANDED_MAX) {
        return error_set(err, EFBIG, "a value with its macros replaced is larger than 4 MiB");
    }
    if (b->p == NULL || b->cap - b->size < size + 1) {
        const size_t cap = MAX(2 * b->cap, b->size + size + 256);
        uint8_t *grown = malloc(cap); /* not realloc: the old one must be wiped */

        if (grown == NULL) {
            return error_set_errno(err, ENOMEM, "replacing macros");
        }
        if (b->p != NULL) {
            memcpy(grown, b->p, b->size);
            ct_wipe(b->p, b->cap);
            free(b->p);
        }
        b->p = grown;
        b->cap = cap;
    }
    if (size > 0) {
        memcpy(b->p + b->size, data, size);
    }
    b->size += size;
    b->p[b->size] = '\0';
    return 0;
}

/* JSON string escaping (RFC 8259 section 7) without the quotes around. */
static int buf_add_json(struct secret_buf *b, const uint8_t *data, size_t size, struct error **err)
{
    int r = 0;

    if (!utf8_valid((const char *)data, size)) {
        return error_set(err, EINVAL, "|escape(json) needs text, and the secret is not UTF-8");
    }
    for (size_t i = 0; i < size && r == 0; i++) {
        char text[8];

        switch (data[i]) {
        case '"': r = buf_add(b, "\\\"", 2, err); break;
        case '\\': r = buf_add(b, "\\\\", 2, err); break;
        case '\n': r = buf_add(b, "\\n", 2, err); break;
        case '\r': r = buf_add(b, "\\r", 2, err); break;
        case '\t': r = buf_add(b, "\\t", 2, err); break;
        default:
            if (data[i] < 0x20) {
                (void)snprintf(text, sizeof(text), "\\u%04x", data[i]);
                r = buf_add(b, text, 6, err);
            } else {
                r = buf_add(b, &data[i], 1, err);
            }
            break;
        }
    }
    return r;
}

static int add_macro(const struct pol_session *s, const struct macro *m,
                     const struct pol_values *values, struct secret_buf *out, struct error **err)
{
    _cleanup_buf_ struct secret_buf value = {0};
    const struct pol_secret *secret;
    const char *format;
    size_t format_len;
    int r = pol_macro_resolve(s, m, &secret, &format, &format_len);

    if (r < 0) {
        return error_set(err, -r, "there is no secret '%.*s'", (int)MIN(m->name_len, (size_t)128),
                         m->name);
    }
    r = values->get(values->ctx, secret, format, format_len, &value.p, &value.size, err);
    if (r < 0) {
        return r;
    }
    value.cap = value.size;
    return m->escape_json ? buf_add_json(out, value.p, value.size, err)
                          : buf_add(out, value.p, value.size, err);
}

int pol_expand(const struct pol_session *s, const char *text, const struct pol_values *values,
               uint8_t **ret, size_t *ret_size, struct error **err)
{
    _cleanup_buf_ struct secret_buf out = {0};
    const size_t len = strlen(text);
    size_t done = 0;
    size_t pos = 0;
    struct macro m;
    const char *why;
    int r;

    while ((r = macro_next(text, len, &pos, &m, &why)) == 1) {
        r = buf_add(&out, text + done, (size_t)(m.at - (text + done)), err);
        if (r == 0) {
            r = add_macro(s, &m, values, &out, err);
        }
        if (r < 0) {
            return r;
        }
        done = pos;
    }
    if (r < 0) {
        return error_set(err, EINVAL, "a macro cannot be read: %s", why);
    }
    r = buf_add(&out, text + done, len - done, err);
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(out.p);
    *ret_size = out.size;
    return 0;
}

int pol_expand_string(const struct pol_session *s, const char *text,
                      const struct pol_values *values, char **ret, struct error **err)
{
    _cleanup_buf_ struct secret_buf out = {0};
    int r = pol_expand(s, text, values, &out.p, &out.size, err);

    if (r < 0) {
        return r;
    }
    out.cap = out.size;
    if (memchr(out.p, '\0', out.size) != NULL) {
        return error_set(err, EINVAL,
                         "a secret with a NUL byte cannot stand in an argument or the "
                         "environment; use a format such as :base64");
    }
    *ret = (char *)TAKE_PTR(out.p);
    return 0;
}
