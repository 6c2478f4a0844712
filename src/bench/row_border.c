/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What crossing the border costs, and the leaves an enclave calls: loops inside the test enclave,
 * beside a bare system call on a thread that never heard of enclaves (no Syscall User Dispatch).
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/bench.h"

#define NATIVE_COUNT 200000u

static int need_enclave(const struct bench_context *c, void **ret_state, struct error **err)
{
    if (access(c->loader, X_OK) < 0 || access(c->enclave, R_OK) < 0) {
        return error_set(
            err, EOPNOTSUPP,
            "needs nacre-loader and the test enclave (%s), which a build directory has",
            c->enclave);
    }
    return 0;
}

static int bare_getppid(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    bench_bare_syscall(SYS_getppid, NATIVE_COUNT, ret);
    return 0;
}

/* The call the enclave's host makes in the exit rows: lseek on no descriptor. */
static int bare_lseek(const struct bench_context *c, void *state, struct bench_sample *ret,
                      struct error **err)
{
    bench_bare_syscall(SYS_lseek, NATIVE_COUNT, ret);
    return 0;
}

#define ENCLAVE_ROW(name, row_id, loop, count, native_function, bar_kind, bar_limit, text)        \
    static int name##_nacre(const struct bench_context *c, void *state, struct bench_sample *ret, \
                            struct error **err)                                                   \
    {                                                                                             \
        return bench_enclave_loop(c, (loop), (count), ret, NULL, NULL, err);                      \
    }                                                                                             \
    extern const struct bench_row bench_row_##name;                                               \
    const struct bench_row bench_row_##name = {                                                   \
        .id = (row_id),                                                                           \
        .unit = "ns",                                                                             \
        .work = (text),                                                                           \
        .bar = (bar_kind),                                                                        \
        .bar_value = (bar_limit),                                                                 \
        .setup = need_enclave,                                                                    \
        .native = (native_function),                                                              \
        .nacre = name##_nacre,                                                                    \
    }

ENCLAVE_ROW(getppid, "host-call", "exit", 200000, bare_getppid, BENCH_BAR_NONE, 0,
            "enclave exit and re-entry with no system call in between, beside a bare getppid");
ENCLAVE_ROW(exit_slot, "exit-slot", "syscall", 200000, bare_lseek, BENCH_BAR_NATIVE_PLUS, 100,
            "enclave exit, one bare system call, re-entry, beside that call alone");
ENCLAVE_ROW(exit_trap, "exit-trap", "syscall-trap", 4000, bare_lseek, BENCH_BAR_NONE, 0,
            "the same through an ENCLU that is no slot");
ENCLAVE_ROW(aex_eresume, "aex-eresume", "aex", 4000, bare_getppid, BENCH_BAR_NONE, 0,
            "exception, AEX, handler in a nested entry, ERESUME, beside a bare getppid");
ENCLAVE_ROW(ereport, "ereport", "ereport", 20000, bare_getppid, BENCH_BAR_NONE, 0,
            "EREPORT, beside a bare getppid");
ENCLAVE_ROW(egetkey, "egetkey", "egetkey", 20000, bare_getppid, BENCH_BAR_NONE, 0,
            "EGETKEY of a seal key, beside a bare getppid");
ENCLAVE_ROW(eaccept, "eaccept", "eaccept", 20000, bare_getppid, BENCH_BAR_NONE, 0,
            "EACCEPT of a page the host augmented, beside a bare getppid");

/* In microseconds: a quote is made of signatures. */
static int quote_generate_nacre(const struct bench_context *c, void *state,
                                struct bench_sample *ret, struct error **err)
{
    int r = bench_enclave_loop(c, "quote", 200, ret, NULL, NULL, err);

    ret->value /= 1e3;
    return r;
}

static int bare_getppid_us(const struct bench_context *c, void *state, struct bench_sample *ret,
                           struct error **err)
{
    bench_bare_syscall(SYS_getppid, NATIVE_COUNT, ret);
    ret->value /= 1e3;
    return 0;
}

extern const struct bench_row bench_row_quote_generate;
const struct bench_row bench_row_quote_generate = {
    .id = "quote-generate",
    .unit = "us",
    .work = "EREPORT and a DCAP quote of it through the host, beside a bare getppid",
    .setup = need_enclave,
    .native = bare_getppid_us,
    .nacre = quote_generate_nacre,
};
