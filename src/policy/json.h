/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A session as JSON: what both the canonical text and the hash are made of. */

#include <jansson.h>

#include "policy/ast.h"

static inline void json_freep(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_freep)

enum pol_json_flags {
    /* Leaves explicit values of secrets out and says so: "value_withheld": true. */
    POL_JSON_WITHHOLD = 1,
};

/* Keys stand in the order of keywords.tbl.h, defaults are left out, references to sessions are
 * absolute, key names replace certificates. NULL when out of memory. */
json_t *pol_to_json(const struct pol_session *s, unsigned flags);
