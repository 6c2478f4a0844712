/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What is wrong with a session document, and where. Parsing goes on after an error, so that one run
 * shows everything; the list is bounded.
 */

#include "core/types.h"

#include <stdio.h>

#define POL_DIAGS_MAX     40
#define POL_DIAG_TEXT_MAX 400

struct pol_mark {
    uint32_t line; /* from 1; 0 = the document as a whole */
    uint32_t col;  /* from 1, in characters */
    /* When the line came out of a template variable that stands for whole lines: its name and the
     * line within it. `line` is then the line of the variable. Borrowed from the session. */
    const char *variable;
    uint32_t variable_line;
};

struct pol_diag {
    struct pol_mark mark;
    bool warning;
    char *text; /* "unknown key 'x'; did you mean 'y'?" */
    char *variable;
};

struct pol_diags {
    size_t count; /* stored */
    size_t errors;
    size_t warnings;
    bool truncated; /* there were more than POL_DIAGS_MAX */
    struct pol_diag items[POL_DIAGS_MAX];
};

/* Both copy what they are given. */
void pol_diag_error(struct pol_diags *d, struct pol_mark mark, const char *fmt, ...) _printf_(3, 4);
void pol_diag_warning(struct pol_diags *d, struct pol_mark mark, const char *fmt, ...)
    _printf_(3, 4);

/* "file:line:col: error: text", one a line, in document order. */
void pol_diags_print(const struct pol_diags *d, const char *file, FILE *out);

/* The first error as one line "line:col: text" into `buf`; "" when there is none. */
void pol_diags_first(const struct pol_diags *d, char *buf, size_t size);

void pol_diags_clear(struct pol_diags *d);
#define _cleanup_diags_ _cleanup_(pol_diags_clear)
