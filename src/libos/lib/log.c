/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <stdarg.h>

#include "libos/boot/hostcall.h"
#include "libos/host/host.h"
#include "libos/lib/kvprintf.h"
#include "libos/lib/log.h"
#include "libos/libos.h"

#define LINE_MAX_BYTES 512u

static enum log_level g_level = LOG_WARNING;

void log_set_level(uint32_t level)
{
    g_level = level > LOG_TRACE ? LOG_TRACE : (enum log_level)level;
}

bool libos_log_enabled(enum log_level level)
{
    return level <= g_level;
}

void libos_log(enum log_level level, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    int n;

    if (!libos_log_enabled(level)) {
        return;
    }
    va_start(ap, fmt);
    n = kvprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    host_log((int)level, line, MIN((size_t)n, sizeof(line) - 1));
}

void libos_panic(const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = kvprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    host_log(LOG_ERROR, line, MIN((size_t)n, sizeof(line) - 1));
    hostcall_abort(1);
}
