/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Sessions for tests: parse a text that must be good. */

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

static inline struct pol_session *must_parse(const char *text)
{
    _cleanup_diags_ struct pol_diags d = {0};
    struct pol_session *s = NULL;

    if (pol_parse(text, strlen(text), NULL, &d, &s) < 0) {
        pol_diags_print(&d, "session", stderr);
        fail_msg("a session of this test does not parse:\n%s", text);
    }
    return s;
}

#define MEASURE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
