/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "core/path.h"

bool path_is_clean(const char *s)
{
    if (*s != '/') {
        return false;
    }
    while (*s == '/') {
        const char *part = ++s;

        while (*s != '\0' && *s != '/') {
            s++;
        }
        if (s == part || (part[0] == '.' && (s - part == 1 || (s - part == 2 && part[1] == '.')))) {
            return false;
        }
    }
    return true;
}
