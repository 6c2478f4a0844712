/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Paths in measured and granted documents. */

#include "core/types.h"

/* Absolute, and in the one spelling: no empty, "." or ".." component, no slash at the end; "/"
 * alone is none. */
bool path_is_clean(const char *s);
