/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "libos/lib/errno_name.h"
#include "libos/sys/syscall.h"
#include "libos/sys/trace.h"

/* The table, expanded: functions of what is served, nothing for the rest. */
#define DECLARE_SYS_FULL(name) SYSCALL_PROTO_(name);
#define DECLARE_SYS_PART(name) SYSCALL_PROTO_(name);
#define DECLARE_SYS_NONE(name)
#define DECLARE_SYS_REFUSE(name)
#define X(number, name, args, state, note) DECLARE_##state(name)
#include "libos/sys/syscalls.tbl.h"
#undef X

#define FUNCTION_SYS_FULL(name)   sys_##name
#define FUNCTION_SYS_PART(name)   sys_##name
#define FUNCTION_SYS_NONE(name)   NULL
#define FUNCTION_SYS_REFUSE(name) NULL

const struct syscall_row syscall_table[SYSCALL_MAX] = {
#define X(number, name, args, state, note) \
    [number] = {FUNCTION_##state(name), #name, args, note, state},
#include "libos/sys/syscalls.tbl.h"
#undef X
};

/* What a call without a function returns: a refused one says it in its note. */
static int64_t answer_without(const struct syscall_row *row)
{
    int e = row->state == SYS_REFUSE ? errno_number(row->note) : 0;

    return e == 0 ? -ENOSYS : -e;
}

int64_t syscall_dispatch(uint64_t number, const uint64_t args[static 6])
{
    const struct syscall_row *row;
    int64_t r;

    if (unlikely(number >= SYSCALL_MAX)) {
        trace_unknown(number);
        return -ENOSYS;
    }
    row = &syscall_table[number];
    if (unlikely(g_trace_on)) {
        trace_enter(number, args);
    }
    if (likely(row->fn != NULL)) {
        r = row->fn(args[0], args[1], args[2], args[3], args[4], args[5]);
    } else {
        r = answer_without(row);
        trace_missing(number);
    }
    if (unlikely(g_trace_on)) {
        trace_leave(number, args, r);
    }
    return r;
}
