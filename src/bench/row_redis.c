/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* redis-server under redis-benchmark, 50 clients. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "bench/bench.h"

struct work {
    const char *test; /* redis-benchmark -t */
    const char *label;
    const char *pipeline;
    const char *requests;
};

static const struct work g_get = {"get", "\"GET\",\"", "1", "60000"};
static const struct work g_set = {"set", "\"SET\",\"", "1", "60000"};
static const struct work g_pipeline = {"get", "\"GET\",\"", "16", "600000"};

static int load(const struct bench_service *s, double *ret_ops, double *ret_ns, struct error **err)
{
    const struct work *w = s->arg;
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

static int setup(const struct bench_context *c, const struct work *w, void **ret,
                 struct error **err)
{
    _cleanup_free_ struct bench_service *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    *s = (struct bench_service){
        .argv = {"redis-server", "--port", BENCH_PORT, "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no"},
        .client = "redis-benchmark",
        .load = load,
        .arg = w,
    };
    r = bench_service_prepare(c, s, err);
    if (r == 0) {
        *ret = TAKE_PTR(s);
    }
    return r;
}

static int setup_get(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, &g_get, ret, err);
}

static int setup_set(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, &g_set, ret, err);
}

static int setup_pipeline(const struct bench_context *c, void **ret, struct error **err)
{
    return setup(c, &g_pipeline, ret, err);
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    return bench_service_run(c, state, /*inside=*/false, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    return bench_service_run(c, state, /*inside=*/true, ret, err);
}

extern const struct bench_row bench_row_redis_get;
const struct bench_row bench_row_redis_get = {
    .id = "redis-get",
    .unit = "op/s",
    .work = "redis-server: GET, 50 clients, no pipelining",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.95,
    .exits_max = 2,
    .setup = setup_get,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};

extern const struct bench_row bench_row_redis_set;
const struct bench_row bench_row_redis_set = {
    .id = "redis-set",
    .unit = "op/s",
    .work = "redis-server: SET, 50 clients, no pipelining",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.95,
    .exits_max = 2,
    .setup = setup_set,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};

extern const struct bench_row bench_row_redis_pipeline16;
const struct bench_row bench_row_redis_pipeline16 = {
    .id = "redis-pipeline16",
    .unit = "op/s",
    .work = "redis-server: GET, 50 clients, 16 requests at a time",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.95,
    .setup = setup_pipeline,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};
