/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Between report.c, which counts and prints, and report_family.c, where the owner of a family keeps
 * what its members did. */

#include "abi/hostcall.h"
#include "libos/lib/strbuf.h"
#include "libos/proc/pids.h"
#include "libos/sys/syscall.h"

enum report_value {
#define X(name, summed, description) REPORT_##name,
#include "libos/sys/report_values.tbl.h"
#undef X
    REPORT_VALUES
};

/* One process. */
struct report_head {
    int32_t pid;
    uint32_t zero; /* no padding that could tell anything */
    char comm[PIDS_COMM];
    uint64_t values[REPORT_VALUES];
    uint64_t refused, missing; /* system calls */
};
_Static_assert(sizeof(struct report_head) == 136, "family/ops.tbl.h says so");

/* What is counted by number. */
struct report_counts {
    uint64_t missing[SYSCALL_MAX]; /* refused or not implemented */
    uint64_t hostcalls[HOSTCALL_MAX];
    uint64_t unknown;
};

/* Registers the owner's handler; once, at start. */
void report_family_init(void);
/* A member at its end: tells the owner. */
void report_send(const struct report_head *head, const struct report_counts *counts);
/* In the owner at its end: what the members told, added to `sum`; how many there were. */
size_t report_collect(struct report_head *sum, struct report_counts *counts);
/* The members one by one, in the order of their ends. False: the list ended. */
bool report_next(size_t index, struct report_head *ret);
