/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* The end of the process. */

#include "libos/proc/thread.h"

/* exit_group: every other thread is told to go, shared mappings are written back, the host process
 * ends with `status` (0..255). */
_noreturn_ void process_exit(int status);

/* Death by signal: as process_exit(128 + signo), which is what a shell and a container engine show;
 * `core`: the crash report is printed first. */
_noreturn_ void process_die(int signo, bool core, const struct cpu_context *ctx);

/* The end at once, with nothing put away: the owner of the family is gone. */
_noreturn_ void process_vanish(void);
