/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What the library OS did: --strace, --syscall-report, --stats. */

#include "libos/proc/thread.h"
#include "libos/sys/syscall.h"

struct syscall_row {
    syscall_fn *fn; /* NULL: not served */
    const char *name;
    const char *args; /* one letter an argument, sys/syscalls.tbl.h */
    const char *note;
    enum syscall_state state;
};
extern const struct syscall_row syscall_table[SYSCALL_MAX];

extern bool g_trace_on;

void trace_init(bool strace, bool report, bool stats);

/* --strace: one line a call. */
void trace_enter(uint64_t number, const uint64_t args[static 6]);
void trace_leave(uint64_t number, const uint64_t args[static 6], int64_t result);
void trace_exception(const struct cpu_context *ctx, uint32_t vector, uint32_t code,
                     uint64_t address);

/* Counted always. */
void trace_missing(uint64_t number);
void trace_unknown(uint64_t number);
void trace_count_hostcall(uint32_t number);
void trace_count_trap(void);
void trace_count_fault(void);

/* In a child of fork: it counts for itself. */
void trace_after_fork(void);

/* At the end: the reports that were asked for. */
void trace_report(void);
