/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A server, natively or under nacre exec, with a client of its own beside it. What a row measures
 * is data: its `arg` is a struct bench_service_plan, and its functions are the ones below.
 */

#include "bench/bench.h"

#define BENCH_SERVICE_ARGS 16

/* In a plan's argv: the port; a file of the build directory; a file of the service's directory. */
#define BENCH_PORT  "%port"
#define BENCH_BUILT "%built:"
#define BENCH_DIR   "%dir:"

struct bench_service;

/* Works at 127.0.0.1:port: operations and the nanoseconds they took. */
typedef int (*bench_load)(const struct bench_service *s, double *ret_ops, double *ret_ns,
                          struct error **err);

struct bench_service_plan {
    const char *argv[BENCH_SERVICE_ARGS]; /* the first is a name in PATH, or a path */
    const char *client;                   /* a program the load needs, or NULL */
    bench_load load;
    bench_load warm_up;   /* not measured, but its exits are counted; may be NULL */
    const void *load_arg; /* for the two */
    /* NULL, or whether the rest is there that it needs: -EOPNOTSUPP says what is not. */
    int (*need)(struct error **err);
    /* NULL, or fills the service's directory, which is removed with all that is in it. */
    int (*fill)(const struct bench_service *s, struct error **err);
};

struct bench_service {
    const struct bench_service_plan *plan;
    uint16_t port;
    char port_text[8];
    char *dir;                      /* not under /tmp, which the enclave has for itself */
    char *argv[BENCH_SERVICE_ARGS]; /* of this run */
    double start_exits;             /* of starting and stopping it without load */
};

/* -EOPNOTSUPP when a program is missing. */
[[nodiscard]] int bench_service_setup(const struct bench_context *c, void **ret_state,
                                      struct error **err);
/* Start it, put the load on it, stop it: operations per second. */
[[nodiscard]] int bench_service_native(const struct bench_context *c, void *state,
                                       struct bench_sample *ret, struct error **err);
[[nodiscard]] int bench_service_nacre(const struct bench_context *c, void *state,
                                      struct bench_sample *ret, struct error **err);
void bench_service_teardown(void *state);

/* Of a row: its functions. */
#define BENCH_SERVICE                                                                           \
    .setup = bench_service_setup, .native = bench_service_native, .nacre = bench_service_nacre, \
    .teardown = bench_service_teardown

/* Starts it afresh and asks for `path` until there is an answer in HTTP: milliseconds since the
 * command, and the peak resident memory of its process then, in MiB. */
[[nodiscard]] int bench_service_cold(const struct bench_context *c, const struct bench_service *s,
                                     bool inside, const char *path, double *ret_ms, double *ret_mib,
                                     struct error **err);

/* --- loads --- */

/* The whole standard output of a client (malloc'd, NUL-terminated), which must succeed. */
[[nodiscard]] int bench_client_output(const char *const *argv, char **ret, struct error **err);
/* wrk for a second; load_arg: struct bench_wrk_arg. */
struct bench_wrk_arg {
    const char *path;
    unsigned connections;
};
[[nodiscard]] int bench_wrk(const struct bench_service *s, double *ret_ops, double *ret_ns,
                            struct error **err);
