/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

#include "libos/proc/thread.h"

/* The report of a program's death: registers, the mapping RIP lies in, a backtrace. Goes to the
 * host's log: addresses, and in debug logging nothing more; never memory content. */
void crash_report(int signo, const struct cpu_context *ctx);

/* A fault of the library OS itself. */
_noreturn_ void crash_libos(const struct cpu_context *ctx, uint32_t vector, uint32_t code,
                            uint64_t address);

/* The application touched memory and there is none left. */
_noreturn_ void crash_out_of_memory(const struct cpu_context *ctx);
