/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Calling system calls of the library OS with plain C arguments: SYS(open, "/x", O_RDONLY). */

#include "libos/lib/uapi.h"
#include "libos/sys/syscall.h"

/* every call, declared */
#define X(number, name, args, state, note) SYSCALL_PROTO_(name);
#include "libos/sys/syscalls.tbl.h"
#undef X

#define SYS_PICK_(_1, _2, _3, _4, _5, _6, N, ...) N
#define SYS(name, ...) \
    SYS_PICK_(__VA_ARGS__, SYS6_, SYS5_, SYS4_, SYS3_, SYS2_, SYS1_)(name, __VA_ARGS__)
#define A_(x)                      ((uint64_t)(x))
#define SYS1_(n, a)                sys_##n(A_(a), 0, 0, 0, 0, 0)
#define SYS2_(n, a, b)             sys_##n(A_(a), A_(b), 0, 0, 0, 0)
#define SYS3_(n, a, b, c)          sys_##n(A_(a), A_(b), A_(c), 0, 0, 0)
#define SYS4_(n, a, b, c, d)       sys_##n(A_(a), A_(b), A_(c), A_(d), 0, 0)
#define SYS5_(n, a, b, c, d, e)    sys_##n(A_(a), A_(b), A_(c), A_(d), A_(e), 0)
#define SYS6_(n, a, b, c, d, e, f) sys_##n(A_(a), A_(b), A_(c), A_(d), A_(e), A_(f))
#define SYS0(name)                 sys_##name(0, 0, 0, 0, 0, 0)
