/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Which files the program opened or executed: developer mode's `nacre exec --trace-files`, what
 * `nacre trace` reads. Each path once, as seen from the root, links resolved. It tells the host
 * names, so a protected start never turns it on.
 */

#include "libos/fs/dentry.h"

#define TOUCHED_PATHS_MAX (1u << 20)

extern bool g_touched_on;

void touched_init(bool on);

/* An object at a path was opened. Losing one for want of memory is counted and told. */
void touched_note_slow(const struct path *p);
static inline void touched_note(const struct path *p)
{
    if (__builtin_expect(g_touched_on, 0)) {
        touched_note_slow(p);
    }
}

/* At the end: one line of JSON a path, {"file": "…", "type": "f"|"d"|"o"}; bytes that are no
 * printable ASCII as \u00XX. */
void touched_report(void);
