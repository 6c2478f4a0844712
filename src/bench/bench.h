/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Native Linux and nacre side by side in one run: each row does its work both ways in turn, at
 * least five times each, and the medians are compared. A new row is a `const struct bench_row
 * bench_row_NAME` in a file of this folder, and one line in rows.tbl.h; rows that differ in numbers
 * and names only share their functions and differ in `arg`.
 * docs/benchmarks.md says how the numbers are made.
 */

#include "base/error.h"

#include <stdio.h>

/* What one timed batch came to, per operation. */
struct bench_sample {
    double value;  /* in the row's unit */
    double cpu_us; /* CPU time of all threads, user and system */
    double exits;  /* enclave exits */
    uint64_t n;    /* operations in the batch */
};

enum bench_bar {
    BENCH_BAR_NONE,
    BENCH_BAR_MAX,         /* nacre <= value */
    BENCH_BAR_MIN,         /* nacre >= value: throughput without a native side */
    BENCH_BAR_NATIVE_PLUS, /* nacre <= native + value */
    BENCH_BAR_RATIO_MAX,   /* nacre / native <= value */
    BENCH_BAR_RATIO_MIN,   /* nacre / native >= value: throughput */
};

/* Where rows find what they need. Strings live as long as the run. */
struct bench_context {
    const struct bench_row *row; /* the one that runs */
    const char *loader;          /* nacre-loader */
    const char *enclave;         /* the test enclave, its SIGSTRUCT beside it as .sig */
    const char *bin_dir;         /* where nacre is */
    const char *state_dir;       /* of this run alone: NACRE_STATE_DIR */
    double cycles_per_ns;        /* of the time stamp counter */
};

struct bench_row {
    const char *id;   /* as in docs/benchmarks.md and bench.json */
    const char *unit; /* "ns", "us", "ms", "MiB/s", … */
    const char *work; /* one line for people */
    enum bench_bar bar;
    double bar_value;
    bool slow;        /* minutes, or much disk: runs only when named or with --slow */
    double exits_max; /* a bar of its own for exits per operation; 0: none */
    const void *arg;  /* for its functions: what tells it from the other rows that have them */
    /* All may be NULL but nacre. `setup` leaves what the others get in *ret_state; -EOPNOTSUPP
     * with a message: this machine or build lacks what the row needs, which is said and skipped. */
    int (*setup)(const struct bench_context *c, void **ret_state, struct error **err);
    int (*native)(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err);
    int (*nacre)(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err);
    void (*teardown)(void *state);
};

#define X(name) extern const struct bench_row bench_row_##name;
#include "bench/rows.tbl.h"
#undef X

struct bench_result {
    const struct bench_row *row;
    bool skipped;
    char reason[256]; /* of a skipped row */
    bool has_native;
    double native, nacre, ratio, exits, cpu_us, native_cpu_us;
    uint64_t n; /* operations of one batch times batches */
    bool has_bar;
    bool bar_met;
};

/* --- table and runner --- */

size_t bench_row_count(void);
const struct bench_row *bench_row_at(size_t i);
const struct bench_row *bench_row_find(const char *id);

#define BENCH_ROUNDS_MIN 5u
#define BENCH_ROUNDS_MAX 101u

/* Runs one row `rounds` times each way, in turn. A failing row is an error. */
[[nodiscard]] int bench_run(const struct bench_row *row, const struct bench_context *c,
                            unsigned rounds, struct bench_result *ret, struct error **err);

void bench_print_head(FILE *out);
void bench_print(FILE *out, const struct bench_result *r);
/* The list docs/benchmarks.md describes; "-" is standard output. */
[[nodiscard]] int bench_write_json(const char *path, const struct bench_result *results,
                                   size_t count, struct error **err);

/* --- for rows --- */

double bench_now_ns(void);        /* CLOCK_MONOTONIC */
double bench_cpu_ns(void);        /* CPU time of this process */
double bench_cycles_per_ns(void); /* measured once, 20 ms */

/* A batch of `count` system calls of this number with bad arguments, on a thread as it is. */
void bench_bare_syscall(long number, uint64_t count, struct bench_sample *ret);

/* nacre-loader and the test enclave are there, else -EOPNOTSUPP. */
[[nodiscard]] int bench_need_enclave(const struct bench_context *c, struct error **err);
/* Runs the test enclave's loop `name` for `count` operations and fills *ret in nanoseconds. What
 * the loop writes besides its result goes to *ret_extra (malloc'd) when that is not NULL. */
[[nodiscard]] int bench_enclave_loop(const struct bench_context *c, const char *name,
                                     uint64_t count, struct bench_sample *ret, uint8_t **ret_extra,
                                     size_t *ret_extra_size, struct error **err);

/* A program that measures itself, natively or under nacre exec (programs/ops.c says how it talks).
 */
struct bench_program {
    char *path;
    const char *interpreter; /* runs the file at path; NULL: it is a program */
    const char *work;
    double start_exits; /* what its start and end cost, taken off */
    /* Of nacre exec, NULL-terminated; NULL: none. The rest may be NULL, too. */
    const char *const *options;
    const char *inside_path; /* where it is in the enclave, when not at path */
    const char *file;        /* the file it works on */
    const char *inside_file;
};

/* *p->path must be set; finds out start_exits. -EOPNOTSUPP when something is not there. */
[[nodiscard]] int bench_ops_prepare(const struct bench_context *c, struct bench_program *p,
                                    struct error **err);
/* One batch of about BENCH_BATCH_MS, in nanoseconds an operation. */
[[nodiscard]] int bench_ops(const struct bench_context *c, const struct bench_program *p,
                            bool inside, struct bench_sample *ret, struct error **err);
#define BENCH_BATCH_MS 150u

/* The functions of rows that measure with such a program; arg: struct bench_ops_row. The state is
 * a struct bench_program, or something that begins with one. */
struct bench_ops_row {
    const char *file; /* as bench_built_file finds it */
    const char *interpreter;
    const char *work;
};
[[nodiscard]] int bench_ops_setup(const struct bench_context *c, void **ret_state,
                                  struct error **err);
[[nodiscard]] int bench_ops_native(const struct bench_context *c, void *state,
                                   struct bench_sample *ret, struct error **err);
[[nodiscard]] int bench_ops_nacre(const struct bench_context *c, void *state,
                                  struct bench_sample *ret, struct error **err);
void bench_ops_teardown(void *state);

/* argv under nacre exec with these options (NULL: none) to its end as one operation: milliseconds,
 * with its exits. */
[[nodiscard]] int bench_exec_program(const struct bench_context *c, const char *const *options,
                                     const char *const *argv, struct bench_sample *ret,
                                     struct error **err);
/* argv[0] and what nacre exec needs are there, else -EOPNOTSUPP. */
[[nodiscard]] int bench_need_exec(const struct bench_context *c, const char *program,
                                  struct error **err);
/* A file of the build directory this nacre lies in, malloc'd. */
[[nodiscard]] int bench_built_file(const struct bench_context *c, const char *name, char **ret,
                                   struct error **err);

/* Runs a program to its end as one operation: wall and CPU time in milliseconds. */
[[nodiscard]] int bench_program(const char *const *argv, struct bench_sample *ret,
                                struct error **err);

/* The argument vector of `nacre exec` running argv, in ret[BENCH_ARGS_MAX]; *ret_nacre (malloc'd)
 * is its first. *ret_stats: the file whose counts bench_read_exits adds up after the end. */
#define BENCH_ARGS_MAX 32
[[nodiscard]] int bench_exec_argv(const struct bench_context *c, const char *const *options,
                                  const char *const *argv, char **ret_nacre, char **ret_stats,
                                  const char **ret, struct error **err);
[[nodiscard]] int bench_read_exits(const char *stats, double *ret, struct error **err);
