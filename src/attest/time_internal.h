/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Calendar time without libc's time zones: proleptic Gregorian, UTC, no leap seconds. */

#include "core/types.h"

struct att_date {
    unsigned year; /* 1..9999 */
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
};

/* -EBADMSG when a field is out of its range (30 February, second 60). */
[[nodiscard]] int att_date_to_unix(const struct att_date *d, int64_t *ret);
/* Exactly "YYYY-MM-DDTHH:MM:SSZ" of 20 chars. -EBADMSG. */
[[nodiscard]] int att_rfc3339_parse(const char *s, size_t len, int64_t *ret);
/* `count` decimal digits. -EBADMSG. */
[[nodiscard]] int att_digits(const char *s, size_t count, unsigned *ret);
