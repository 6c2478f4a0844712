/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Where this machine (or this user) keeps what must outlive a process: keys of the software
 * processor, its root, caches. $NACRE_STATE_DIR when set; else /var/lib/nacre for root; else
 * $XDG_STATE_HOME/nacre, else ~/.local/state/nacre. Directories made here have mode 0700.
 */

#include "base/error.h"

#define STATE_DIR_ENV "NACRE_STATE_DIR"

/* The path, without looking at the disk. malloc'd. */
[[nodiscard]] int state_dir_path(char **ret, struct error **err);

/* Makes the state directory when it is missing, checks that nobody else can write to it, and
 * returns its malloc'd path. -EPERM with the reason. */
[[nodiscard]] int state_dir_ensure(char **ret, struct error **err);

/* Makes <state dir>/<name> (one path component) and what leads to it, and checks that nobody else
 * may look into it. -EPERM with the reason when an existing one is owned by another user or is open
 * to others. Returns its malloc'd path. */
[[nodiscard]] int state_dir_make(const char *name, char **ret, struct error **err);

/* As state_dir_make for any directory, which must not be a symbolic link. Parents are made too. */
[[nodiscard]] int state_dir_make_private(const char *path, struct error **err);

/* Waits for, and takes, the exclusive lock of a directory (a file ".lock" in it). Closing
 * *ret_fd gives it back; a process that dies gives it back too. */
[[nodiscard]] int state_dir_lock(const char *dir, int *ret_fd, struct error **err);
