/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * What crossing the border costs, and the leaves an enclave calls: loops inside the test enclave,
 * beside a bare system call on a thread that never heard of enclaves (no Syscall User Dispatch).
 */
#include <sys/syscall.h>

#include "bench/bench.h"

#define NATIVE_COUNT 200000u

struct loop {
    const char *name; /* of tests/enclave/bench.c */
    uint64_t count;
    long call;    /* what stands beside it */
    double scale; /* nanoseconds to the row's unit */
};

static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    return bench_need_enclave(c, err);
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    const struct loop *loop = c->row->arg;

    bench_bare_syscall(loop->call, NATIVE_COUNT, ret);
    ret->value *= loop->scale;
    return 0;
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    const struct loop *loop = c->row->arg;
    int r = bench_enclave_loop(c, loop->name, loop->count, ret, NULL, NULL, err);

    ret->value *= loop->scale;
    return r;
}

/* The exit rows' host calls lseek on no descriptor. */
#define ENCLAVE_ROW(row_name, row_id, loop_name, times, beside, bar_kind, bar_limit, text) \
    const struct bench_row bench_row_##row_name = {                                        \
        .id = (row_id),                                                                    \
        .unit = "ns",                                                                      \
        .work = (text),                                                                    \
        .bar = (bar_kind),                                                                 \
        .bar_value = (bar_limit),                                                          \
        .arg = &(const struct loop){(loop_name), (times), (beside), 1},                    \
        .setup = setup,                                                                    \
        .native = native,                                                                  \
        .nacre = nacre,                                                                    \
    }

ENCLAVE_ROW(getppid, "host-call", "exit", 200000, SYS_getppid, BENCH_BAR_NONE, 0,
            "enclave exit and re-entry with no system call in between, beside a bare getppid");
ENCLAVE_ROW(exit_slot, "exit-slot", "syscall", 200000, SYS_lseek, BENCH_BAR_NATIVE_PLUS, 100,
            "enclave exit, one bare system call, re-entry, beside that call alone");
ENCLAVE_ROW(exit_trap, "exit-trap", "syscall-trap", 4000, SYS_lseek, BENCH_BAR_NONE, 0,
            "the same through an ENCLU that is no slot");
ENCLAVE_ROW(aex_eresume, "aex-eresume", "aex", 4000, SYS_getppid, BENCH_BAR_NONE, 0,
            "exception, AEX, handler in a nested entry, ERESUME, beside a bare getppid");
ENCLAVE_ROW(ereport, "ereport", "ereport", 20000, SYS_getppid, BENCH_BAR_NONE, 0,
            "EREPORT, beside a bare getppid");
ENCLAVE_ROW(egetkey, "egetkey", "egetkey", 20000, SYS_getppid, BENCH_BAR_NONE, 0,
            "EGETKEY of a seal key, beside a bare getppid");
ENCLAVE_ROW(eaccept, "eaccept", "eaccept", 20000, SYS_getppid, BENCH_BAR_NONE, 0,
            "EACCEPT of a page the host augmented, beside a bare getppid");

/* In microseconds: a quote is made of signatures. */
const struct bench_row bench_row_quote_generate = {
    .id = "quote-generate",
    .unit = "us",
    .work = "EREPORT and a DCAP quote of it through the host, beside a bare getppid",
    .arg = &(const struct loop){"quote", 200, SYS_getppid, 1e-3},
    .setup = setup,
    .native = native,
    .nacre = nacre,
};
