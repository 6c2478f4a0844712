/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * The human error object at the rim. A function that a person waits for takes `struct error **err`
 * last: on failure it returns -Exxx and, when err is not NULL, leaves one object there with a
 * message; callers add context with error_wrap() and the program prints it once.
 */

#include "core/types.h"

#include <stdarg.h>

struct error {
    int code; /* a positive errno value */
    char *message;
};

/* Creates the object (err may be NULL, then only the code travels). Returns -code, so that
 * `return error_set(err, EINVAL, …)` reads well. An earlier object in *err is replaced. */
int error_set(struct error **err, int code, const char *fmt, ...) _printf_(3, 4);

/* As error_set, and appends ": strerror(code)". */
int error_set_errno(struct error **err, int code, const char *fmt, ...) _printf_(3, 4);

/* Puts "context: " in front of the message. Does nothing when err or *err is NULL. Returns the
 * object's -code, or 0 when there is none. */
int error_wrap(struct error **err, const char *fmt, ...) _printf_(2, 3);

/* The message, or "unknown error" for NULL. Borrowed. */
const char *error_text(const struct error *e);

struct error *error_free(struct error *e);
static inline void error_freep(struct error **e)
{
    *e = error_free(*e);
}
#define _cleanup_error_ _cleanup_(error_freep)
