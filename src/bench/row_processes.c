/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Processes: fork with its copy of everything, and a spawn, which copies nothing. Each process is
 * an enclave that is built, proves itself, and is torn down again within the time measured.
 */
#include "bench/bench.h"

#define OPS "../bench/bench_ops"

#define PROCESS_ROW(name, row_id, bar_ms, text)                    \
    const struct bench_row bench_row_##name = {                    \
        .id = (row_id),                                            \
        .unit = "ns",                                              \
        .work = (text),                                            \
        .bar = BENCH_BAR_MAX,                                      \
        .bar_value = (bar_ms)*1e6,                                 \
        .arg = &(const struct bench_ops_row){OPS, NULL, (row_id)}, \
        .setup = bench_ops_setup,                                  \
        .native = bench_ops_native,                                \
        .nacre = bench_ops_nacre,                                  \
        .teardown = bench_ops_teardown,                            \
    }

PROCESS_ROW(fork_30m, "fork-30m", 30, "fork, exit and wait of a process with 30 MiB written");
PROCESS_ROW(fork_1g, "fork-1g", 800, "fork, exit and wait of a process with 1 GiB written");
PROCESS_ROW(spawn_true, "spawn-true", 25, "posix_spawn of /bin/true and wait");
