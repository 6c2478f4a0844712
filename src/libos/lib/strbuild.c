/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/lib/strbuild.h"

#include "libos/lib/kvprintf.h"

void strbuild_init(struct strbuild *b)
{
    b->used = 0;
    b->text[0] = '\0';
}

void strbuild_add(struct strbuild *b, const char *fmt, ...)
{
    const size_t room = sizeof(b->text) - b->used;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = kvprintf(b->text + b->used, room, fmt, ap);
    va_end(ap);
    b->used += MIN((size_t)n, room - 1);
}
