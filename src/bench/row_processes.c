/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Processes: fork with its copy of everything, and a spawn, which copies nothing. Each process is
 * an enclave that is built, proves itself, and is torn down again within the time measured.
 */
#include <stdlib.h>

#include "bench/bench.h"

#define OPS "../bench/bench_ops"

static void teardown(void *state)
{
    struct bench_program *p = state;

    free(p->path);
    free(p);
}

static int setup(const struct bench_context *c, const char *work, void **ret_state,
                 struct error **err)
{
    struct bench_program *p = calloc(1, sizeof(*p));
    int r;

    if (p == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    *p = (struct bench_program){.work = work};
    r = bench_built_file(c, OPS, &p->path, err);
    r = r < 0 ? r : bench_ops_prepare(c, p, err);
    if (r < 0) {
        teardown(p);
        return r;
    }
    *ret_state = p;
    return 0;
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    return bench_ops(c, state, /*inside=*/false, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    return bench_ops(c, state, /*inside=*/true, ret, err);
}

#define PROCESS_ROW(name, row_id, bar_ms, text)                                            \
    static int name##_setup(const struct bench_context *c, void **ret, struct error **err) \
    {                                                                                      \
        return setup(c, (row_id), ret, err);                                               \
    }                                                                                      \
    extern const struct bench_row bench_row_##name;                                        \
    const struct bench_row bench_row_##name = {                                            \
        .id = (row_id),                                                                    \
        .unit = "ns",                                                                      \
        .work = (text),                                                                    \
        .bar = BENCH_BAR_MAX,                                                              \
        .bar_value = (bar_ms)*1e6,                                                         \
        .setup = name##_setup,                                                             \
        .native = native,                                                                  \
        .nacre = nacre,                                                                    \
        .teardown = teardown,                                                              \
    }

PROCESS_ROW(fork_30m, "fork-30m", 30, "fork, exit and wait of a process with 30 MiB written");
PROCESS_ROW(fork_1g, "fork-1g", 800, "fork, exit and wait of a process with 1 GiB written");
PROCESS_ROW(spawn_true, "spawn-true", 25, "posix_spawn of /bin/true and wait");
