/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * What must go when a conversion is told to stop: directories with unfinished work, which may hold
 * a stranger's files in clear. Unnamed files go by themselves; nothing helps against SIGKILL but
 * that unfinished work never has the final name.
 */

#include "base/error.h"

#define IMG_LEFTOVERS_MAX 16u

/* From now on SIGINT, SIGTERM and SIGHUP remove what is noted, then end the process as they always
 * do. For programs, before they start threads. */
[[nodiscard]] int img_leftovers_on_signals(struct error **err);

/* Notes a file or directory; takes the note back. Beyond the maximum nothing is noted. */
void img_leftover_add(const char *path);
void img_leftover_drop(const char *path);

/* Between these a stop waits, then finds what is noted after them: for what must be named and kept
 * together. The same thread may add and drop in between. */
void img_leftovers_hold(void);
void img_leftovers_release(void);

/* Removes a directory with all it holds, or a file. */
void img_remove_all(const char *path);
