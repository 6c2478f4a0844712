/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "attest/verifier.h"

/* Records why and returns the code's negative errno value, so that `return att_refuse(…)` reads
 * well. `why` may be NULL. */
int att_refuse(struct att_reason *why, enum att_code code, const char *fmt, ...) _printf_(3, 4);
