/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "core/types.h"

/* Writes 2 * size lower-case digits and a NUL: `dst` holds at least 2 * size + 1 chars. */
void hex_encode(char *dst, const void *src, size_t size);

/* Decodes exactly 2 * size digits (either case) from `src` of `len` chars. -EINVAL on any other
 * length or character; `dst` is then unspecified. */
[[nodiscard]] int hex_decode(void *dst, size_t size, const char *src, size_t len);
