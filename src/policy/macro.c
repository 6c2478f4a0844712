/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy/macro.h"

#include <string.h>

#define PREFIX     "$$SCONE::"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define ESCAPE     "escape(json)"

static bool has_prefix(const char *p, size_t left)
{
    return left >= PREFIX_LEN && memcmp(p, PREFIX, PREFIX_LEN) == 0;
}

size_t macro_length(const char *p, size_t left)
{
    if (!has_prefix(p, left)) {
        return 0;
    }
    for (size_t i = PREFIX_LEN; i + 1 < left && i + 1 < MACRO_LENGTH_MAX; i++) {
        if (p[i] == '\n') {
            return 0;
        }
        if (p[i] == '$') {
            return p[i + 1] == '$' ? i + 2 : 0;
        }
    }
    return 0;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '~';
}

static int split(struct macro *m, const char **ret_why)
{
    const char *body = m->at + PREFIX_LEN;
    size_t left = m->len - PREFIX_LEN - 2;
    const char *pipe = memchr(body, '|', left);

    if (pipe != NULL) {
        const size_t filter_len = left - (size_t)(pipe - body) - 1;

        if (filter_len != strlen(ESCAPE) || memcmp(pipe + 1, ESCAPE, filter_len) != 0) {
            *ret_why = "the only filter is |escape(json)";
            return -EINVAL;
        }
        m->escape_json = true;
        left = (size_t)(pipe - body);
    }
    m->name = body;
    while (m->name_len < left && is_name_char(body[m->name_len])) {
        m->name_len++;
    }
    if (m->name_len == 0) {
        *ret_why = "it names no secret";
        return -EINVAL;
    }
    m->format = body + m->name_len;
    if (m->name_len == left) {
        return 0;
    }
    if (*m->format != ':' || m->name_len + 1 == left) {
        *ret_why = "behind the name only :format or |escape(json) can follow";
        return -EINVAL;
    }
    m->format++;
    m->format_len = left - m->name_len - 1;
    return 0;
}

int macro_next(const char *text, size_t len, size_t *pos, struct macro *ret, const char **ret_why)
{
    for (size_t i = *pos; i < len; i++) {
        const char *p = text + i;

        if (!has_prefix(p, len - i)) {
            continue;
        }
        *ret = (struct macro){.at = p, .len = macro_length(p, len - i)};
        if (ret->len == 0) {
            *ret_why = "it has no end: $$ is missing";
            *pos = i + PREFIX_LEN;
            return -EINVAL;
        }
        *pos = i + ret->len;
        return split(ret, ret_why) < 0 ? -EINVAL : 1;
    }
    *pos = len;
    return 0;
}
