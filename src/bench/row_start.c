/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* From the command to its end: building the enclave, the program's start, its work, its end. */
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/bench.h"

#define PYTHON "/usr/bin/python3"
#define HELLO  "../bench/bench_hello"

/* The state is the program's path. */
static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    const char *const argv[] = {state, NULL};

    return bench_program(argv, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    const char *const argv[] = {state, NULL};

    return bench_exec_program(c, argv, ret, err);
}

static int hello_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    int r = bench_built_file(c, HELLO, &path, err);

    if (r == 0) {
        r = bench_need_exec(c, path, err);
    }
    if (r == 0) {
        *ret_state = TAKE_PTR(path);
    }
    return r;
}

static int python_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    return bench_need_exec(c, PYTHON, err);
}

static int python_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                         struct error **err)
{
    static const char *const argv[] = {PYTHON, "-c", "pass", NULL};

    return bench_program(argv, ret, err);
}

static int python_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    static const char *const argv[] = {PYTHON, "-c", "pass", NULL};

    return bench_exec_program(c, argv, ret, err);
}

extern const struct bench_row bench_row_hello_start;
const struct bench_row bench_row_hello_start = {
    .id = "hello-start",
    .unit = "ms",
    .work = "a C program that writes one line, from command to end",
    .setup = hello_setup,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};

extern const struct bench_row bench_row_py_start;
const struct bench_row bench_row_py_start = {
    .id = "py-start",
    .unit = "ms",
    .work = "python3 -c pass, from command to end, files of the host",
    .bar = BENCH_BAR_NATIVE_PLUS,
    .bar_value = 60,
    .setup = python_setup,
    .native = python_native,
    .nacre = python_nacre,
};
