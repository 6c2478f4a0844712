/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* redis-server under redis-benchmark, 50 clients. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/service.h"

struct work {
    const char *test; /* redis-benchmark -t */
    const char *label;
    const char *pipeline;
    const char *requests;
};

static int load(const struct bench_service *s, double *ret_ops, double *ret_ns, struct error **err)
{
    const struct work *w = s->plan->load_arg;
    const char *const argv[] = {
        "redis-benchmark", "-p", s->port_text, "-c",    "50", "-t", w->test, "-P",
        w->pipeline,       "-n", w->requests,  "--csv", NULL};
    _cleanup_free_ char *text = NULL;
    const char *line;
    double rate;
    int r = bench_client_output(argv, &text, err);

    if (r < 0) {
        return r;
    }
    line = strstr(text, w->label);
    if (line == NULL || (rate = strtod(line + strlen(w->label), NULL)) <= 0) {
        return error_set(err, EIO, "redis-benchmark says no rate: %.300s", text);
    }
    *ret_ops = strtod(w->requests, NULL);
    *ret_ns = *ret_ops / rate * 1e9;
    return 0;
}

#define REDIS_ROW(name, row_id, limit, text, ...)                                               \
    const struct bench_row bench_row_##name = {                                                 \
        .id = (row_id),                                                                         \
        .unit = "op/s",                                                                         \
        .work = (text),                                                                         \
        .bar = BENCH_BAR_RATIO_MIN,                                                             \
        .bar_value = 0.95,                                                                      \
        .exits_max = (limit),                                                                   \
        .arg =                                                                                  \
            &(const struct bench_service_plan){                                                 \
                .argv = {"redis-server", "--port", BENCH_PORT, "--bind", "127.0.0.1", "--save", \
                         "", "--appendonly", "no"},                                             \
                .client = "redis-benchmark",                                                    \
                .load = load,                                                                   \
                .load_arg = &(const struct work){__VA_ARGS__},                                  \
            },                                                                                  \
        BENCH_SERVICE,                                                                          \
    }

REDIS_ROW(redis_get, "redis-get", 2, "redis-server: GET, 50 clients, no pipelining", "get",
          "\"GET\",\"", "1", "60000");
REDIS_ROW(redis_set, "redis-set", 2, "redis-server: SET, 50 clients, no pipelining", "set",
          "\"SET\",\"", "1", "60000");
REDIS_ROW(redis_pipeline16, "redis-pipeline16", 0,
          "redis-server: GET, 50 clients, 16 requests at a time", "get", "\"GET\",\"", "16",
          "600000");
