/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Base64 (RFC 4648 section 4), padded, in its one canonical form. Runs over the alphabet without
 * tables indexed by the data, for what is encoded here is often secret. */

#include "core/types.h"

/* Characters of `size` encoded bytes, without a NUL. */
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)

/* Writes BASE64_SIZE(size) characters and no NUL. */
void base64_encode(char *dst, const void *src, size_t size);

/* Bytes at most behind `len` characters. */
#define BASE64_DECODED_MAX(len) ((len) / 4 * 3)

/* Decodes `len` characters into `dst`, which has room for BASE64_DECODED_MAX(len) bytes; their
 * number goes to *ret_size. -EINVAL: another character (white space too), padding that is missing
 * or too much, or bits behind the last byte; `dst` is then unspecified. */
[[nodiscard]] int base64_decode(void *dst, const char *src, size_t len, size_t *ret_size);
