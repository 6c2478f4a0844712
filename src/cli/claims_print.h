/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Claims of evidence for people and for scripts; both come from the library's claim table. */

#include <jansson.h>

#include "attest/verifier.h"

/* An object with each claim the evidence has, advisory_ids and advisories (with their sources).
 * NULL when out of memory. The caller's. */
json_t *claims_to_json(const struct att_claims *c);

/* One line a claim to stdout; an advisory that several parts name is printed once. */
void claims_print(const struct att_claims *c);
