/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * System calls. sys/syscalls.tbl.h lists every x86-64 call once, with its state; each implemented
 * one is a function of six 64-bit words. SYSCALL_n declares it with named, typed arguments:
 *
 *     SYSCALL_3(read, int, fd, uint64_t, buf, uint64_t, size)
 *     {
 *         …
 *         return n;   // or -Exxx
 *     }
 *
 * Pointers into the application stay uint64_t until they pass mm/user.h.
 */

#include "core/types.h"

typedef int64_t syscall_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

#define SYSCALL_PROTO_(name) \
    int64_t sys_##name(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t)

#define SYSCALL_0(name)                                                                        \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(void);                                                     \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name();                                                                    \
    }                                                                                          \
    static inline int64_t do_##name(void)
#define SYSCALL_1(name, ta, na)                                                                \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na);                                                    \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a);                                                               \
    }                                                                                          \
    static inline int64_t do_##name(ta na)
#define SYSCALL_2(name, ta, na, tb, nb)                                                        \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na, tb nb);                                             \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a, (tb)b);                                                        \
    }                                                                                          \
    static inline int64_t do_##name(ta na, tb nb)
#define SYSCALL_3(name, ta, na, tb, nb, tc, nc)                                                \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na, tb nb, tc nc);                                      \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a, (tb)b, (tc)c);                                                 \
    }                                                                                          \
    static inline int64_t do_##name(ta na, tb nb, tc nc)
#define SYSCALL_4(name, ta, na, tb, nb, tc, nc, td, nd)                                        \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd);                               \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a, (tb)b, (tc)c, (td)d);                                          \
    }                                                                                          \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd)
#define SYSCALL_5(name, ta, na, tb, nb, tc, nc, td, nd, te, ne)                                \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd, te ne);                        \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a, (tb)b, (tc)c, (td)d, (te)e);                                   \
    }                                                                                          \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd, te ne)
#define SYSCALL_6(name, ta, na, tb, nb, tc, nc, td, nd, te, ne, tf, nf)                        \
    SYSCALL_PROTO_(name);                                                                      \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd, te ne, tf nf);                 \
    int64_t sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) \
    {                                                                                          \
        return do_##name((ta)a, (tb)b, (tc)c, (td)d, (te)e, (tf)f);                            \
    }                                                                                          \
    static inline int64_t do_##name(ta na, tb nb, tc nc, td nd, te ne, tf nf)

enum syscall_state {
    SYS_NONE,   /* unimplemented: -ENOSYS, counted */
    SYS_FULL,   /* as Linux, as far as an application can tell */
    SYS_PART,   /* the note says what is missing */
    SYS_REFUSE, /* refused on purpose: the note says why and with which errno */
};

#define SYSCALL_MAX 512

/* Serves one system call; the result as Linux returns it in rax. */
int64_t syscall_dispatch(uint64_t number, const uint64_t args[static 6]);

/* Internal result: take a signal first, then run the call again (SA_RESTART) or return -EINTR. As
 * in Linux these never reach the application. */
#define ERESTARTSYS           512
#define ERESTARTNOINTR        513
#define ERESTARTNOHAND        514
#define ERESTART_RESTARTBLOCK 516
