/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * The whole start of a converted image: the loader, the agent, its quote and its conversation with
 * a CAS on this machine, the sealed root, the application's first line. CAS runs in another process
 * and is not counted in CPU time.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/bench.h"

#define SCRIPT "../../../tests/bench/attested_start.py"

/* The state is the script's path. */
static int measure(const struct bench_context *c, const char *script, const char *option,
                   struct bench_sample *ret, struct error **err)
{
    _cleanup_free_ char *command = NULL;
    json_t *j;
    FILE *f;
    int status;

    if (asprintf(&command, "exec python3 '%s' '%s/../..' '%s' %s", script, c->bin_dir, c->state_dir,
                 option) < 0) {
        command = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    f = popen(command, "re");
    if (f == NULL) {
        return error_set_errno(err, errno, "cannot start %s", script);
    }
    j = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
    status = pclose(f);
    if (status != 0 || j == NULL) {
        json_decref(j);
        return error_set(err, EIO, "the attested start failed");
    }
    ret->value = json_number_value(json_object_get(j, "ms"));
    ret->cpu_us = json_number_value(json_object_get(j, "cpu_us"));
    ret->exits = json_number_value(json_object_get(j, "exits"));
    ret->n = (uint64_t)json_integer_value(json_object_get(j, "count"));
    json_decref(j);
    return 0;
}

static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    return measure(c, state, "--native", ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    return measure(c, state, "", ret, err);
}

static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    _cleanup_free_ char *script = NULL;
    _cleanup_free_ char *agent = NULL;
    int r = bench_built_file(c, SCRIPT, &script, err);

    if (r == 0) {
        r = bench_built_file(c, "../agent/agent", &agent, err);
    }
    if (r == 0 && (access(script, R_OK) < 0 || access(agent, R_OK) < 0)) {
        r = error_set(err, EOPNOTSUPP, "needs %s, which a build directory has", script);
    }
    if (r == 0) {
        *ret_state = TAKE_PTR(script);
    }
    return r;
}

const struct bench_row bench_row_hello_attested = {
    .id = "hello-attested",
    .unit = "ms",
    .work = "a converted hello, from command to its first line, attested and provisioned",
    .setup = setup,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};
