/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What --json prints: one document on standard output. */

#include <jansson.h>

#include "base/error.h"

/* Takes over `j`; NULL: it could not be made. */
[[nodiscard]] int cli_print_json(json_t *j, struct error **err);
