/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "loader/hostcalls/hostcalls_internal.h"

typedef int64_t (*hostcall_function)(struct loader_thread *t, const uint64_t *a);

static const hostcall_function functions[HOSTCALL_MAX] = {
#define X(number, name, args, description) [number] = hostcall_##name,
#include "abi/hostcall.tbl.h"
#undef X
};

int64_t hostcall_serve(struct loader_thread *t, uint64_t *args)
{
    const struct hostcall_block *b = t->block;
    const uint32_t number = b->number;

    if (unlikely(number >= HOSTCALL_MAX || functions[number] == NULL)) {
        return -ENOSYS;
    }
    __builtin_memcpy(args, b->args, sizeof(b->args)); /* the block may serve a nested entry */
    return functions[number](t, args);
}
