/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* TAP from inside, one write a line. */
#include "enclave/enclave.h"

#define LINE_MAX_ 256u

static uint32_t cases;
static uint32_t failures;

static size_t put_text(char *dst, size_t at, const char *text)
{
    while (*text != '\0' && at + 1 < LINE_MAX_) {
        dst[at++] = *text++;
    }
    return at;
}

static size_t put_number(char *dst, size_t at, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0 && at + 1 < LINE_MAX_) {
        dst[at++] = digits[--n];
    }
    return at;
}

static void put_line(char *line, size_t at)
{
    line[at++] = '\n';
    if (host_write(1, line, at) != (int64_t)at) {
        host_abort(3);
    }
}

void tap_case(bool ok, const char *name)
{
    char line[LINE_MAX_];
    size_t at = put_text(line, 0, ok ? "ok " : "not ok ");

    cases++;
    failures += ok ? 0 : 1;
    at = put_number(line, at, cases);
    at = put_text(line, at, " - ");
    put_line(line, put_text(line, at, name));
}

void tap_say(const char *text)
{
    char line[LINE_MAX_];

    put_line(line, put_text(line, put_text(line, 0, "# "), text));
}

void tap_say_number(const char *text, uint64_t value)
{
    char line[LINE_MAX_];
    size_t at = put_text(line, 0, "# ");

    at = put_text(line, at, text);
    put_line(line, put_number(line, put_text(line, at, " "), value));
}

int tap_end(void)
{
    char line[LINE_MAX_];

    put_line(line, put_number(line, put_text(line, 0, "1.."), cases));
    return failures == 0 ? 0 : 1;
}
