/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A strict pull reader for JSON (RFC 8259) over a cursor. It exists because Intel signs the exact
 * bytes of an inner object: the reader tells where a value begins and ends, allocates nothing and
 * never re-serialises. Every function returns a negative value on anything that is not JSON.
 */

#include "core/cursor.h"

#define JSON_DEPTH_MAX 16u

/* The contents of a string without escapes, quotes excluded. Borrowed. */
struct json_text {
    const char *p;
    size_t len;
};

/* Enters '{' or '['. */
[[nodiscard]] int json_enter(struct cursor *c, char open);
/* Next member of an object: 1 with its name, 0 after the closing brace. *first starts true. */
[[nodiscard]] int json_member(struct cursor *c, bool *first, struct json_text *ret_name);
/* Next element of an array: 1 when one follows, 0 after the closing bracket. */
[[nodiscard]] int json_element(struct cursor *c, bool *first);

/* A string without escapes: no field we read needs one. */
[[nodiscard]] int json_text(struct cursor *c, struct json_text *ret);
/* A non-negative integer without fraction or exponent, at most `max`. */
[[nodiscard]] int json_uint(struct cursor *c, uint64_t max, uint64_t *ret);
/* A string of exactly 2 * size hex digits. */
[[nodiscard]] int json_hex(struct cursor *c, void *dst, size_t size);
/* A string "YYYY-MM-DDTHH:MM:SSZ". */
[[nodiscard]] int json_time(struct cursor *c, int64_t *ret);
/* Any one value, checked and stepped over; *ret_span (when asked) is its exact bytes. */
[[nodiscard]] int json_skip(struct cursor *c, struct cursor *ret_span);
/* Only white space is left. */
[[nodiscard]] int json_done(struct cursor *c);

bool json_is(const struct json_text *t, const char *text);
