/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A line of text that grows up to a limit and is cut there. */

#include "core/types.h"

#define STRBUILD_SIZE 512u

struct strbuild {
    size_t used;
    char text[STRBUILD_SIZE];
};

void strbuild_init(struct strbuild *b);
void strbuild_add(struct strbuild *b, const char *fmt, ...) _printf_(2, 3);
static inline size_t strbuild_length(const struct strbuild *b)
{
    return b->used;
}
