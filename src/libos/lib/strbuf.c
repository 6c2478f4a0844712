/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

#include "libos/lib/strbuf.h"

#include "libos/lib/str.h"
#include "libos/mm/kmem.h"

bool strbuf_reserve(struct strbuf *b, size_t more)
{
    if (b->cap - b->len > more) {
        return true;
    }
    size_t cap = MAX(b->cap * 2, b->len + more + 1);
    char *s = krealloc(b->s, cap);

    if (s == NULL) {
        b->failed = true;
        return false;
    }
    b->s = s;
    b->cap = cap;
    b->s[b->len] = '\0';
    return true;
}

void strbuf_add(struct strbuf *b, const void *s, size_t len)
{
    if (strbuf_reserve(b, len)) {
        __builtin_memcpy(b->s + b->len, s, len);
        b->len += len;
        b->s[b->len] = '\0';
    }
}

void strbuf_puts(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, str_len(s));
}

void strbuf_free(struct strbuf *b)
{
    kfree(b->s);
    *b = (struct strbuf){0};
}
