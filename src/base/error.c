/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void error_put(struct error **err, int code, char *message)
{
    struct error *e;

    if (err == NULL) {
        free(message);
        return;
    }
    *err = error_free(*err);
    e = calloc(1, sizeof(*e));
    if (e == NULL) {
        free(message);
        return; /* the code still travels as the return value */
    }
    e->code = code;
    e->message = message;
    *err = e;
}

int error_set(struct error **err, int code, const char *fmt, ...)
{
    char *message = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&message, fmt, ap) < 0) {
        message = NULL;
    }
    va_end(ap);
    error_put(err, code, message);
    return -code;
}

int error_set_errno(struct error **err, int code, const char *fmt, ...)
{
    char *message = NULL;
    char *full = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&message, fmt, ap) < 0) {
        message = NULL;
    }
    va_end(ap);
    if (message != NULL && asprintf(&full, "%s: %s", message, strerror(code)) < 0) {
        full = NULL;
    }
    free(message);
    error_put(err, code, full);
    return -code;
}

int error_wrap(struct error **err, const char *fmt, ...)
{
    char *context = NULL;
    char *full = NULL;
    va_list ap;

    if (err == NULL || *err == NULL) {
        return 0;
    }
    va_start(ap, fmt);
    if (vasprintf(&context, fmt, ap) < 0) {
        context = NULL;
    }
    va_end(ap);
    if (context != NULL && asprintf(&full, "%s: %s", context, error_text(*err)) >= 0) {
        free((*err)->message);
        (*err)->message = full;
    }
    free(context);
    return -(*err)->code;
}

const char *error_text(const struct error *e)
{
    return e != NULL && e->message != NULL ? e->message : "unknown error";
}

struct error *error_free(struct error *e)
{
    if (e != NULL) {
        free(e->message);
        free(e);
    }
    return NULL;
}
