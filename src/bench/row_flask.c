/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The service of the demo and the walkthrough (examples/flask), natively and under nacre exec:
 * under load, from the command to its first answer, and the memory it then has. TLS is off: what is
 * compared is where the service runs, not OpenSSL with itself. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "bench/service.h"

#define PYTHON "/usr/bin/python3"

/* argv: the port, the service. Debian's python has flask, if any. */
static const char g_run[] = "import os, runpy, sys\n"
                            "os.environ.update(FLASK_TLS='off', PORT=sys.argv[1])\n"
                            "runpy.run_path(sys.argv[2], run_name='__main__')\n";

/* A patient, so that there is something to ask for. */
static int post(const struct bench_service *s, double *ret_ops, double *ret_ns, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    char url[64];
    const char *const argv[] = {"curl", "-sSf", "-d", "fname=Jane&lname=Doe", url, NULL};

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/patient/p", s->port);
    *ret_ops = 1;
    *ret_ns = 0;
    return bench_client_output(argv, &text, err);
}

static int need_flask(struct error **err)
{
    const char *const argv[] = {PYTHON, "-c", "import flask", NULL};
    struct bench_sample sample;

    return bench_program(argv, &sample, NULL) < 0
               ? error_set(err, EOPNOTSUPP,
                           "needs flask for " PYTHON ": apt-get install "
                           "python3-flask")
               : 0;
}

static const struct bench_service_plan g_plan = {
    .argv = {PYTHON, "-c", g_run, BENCH_PORT, BENCH_BUILT "../bench/bench_flask.py"},
    .client = "wrk",
    .warm_up = post,
    .load = bench_wrk,
    .load_arg = &(const struct bench_wrk_arg){"/score/p", 4},
    .need = need_flask,
};

const struct bench_row bench_row_flask = {
    .id = "flask",
    .unit = "req/s",
    .work = "the demo service, 4 connections of wrk, no keep-alive (its server has none)",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.95,
    .arg = &g_plan,
    BENCH_SERVICE,
};

/* ---- start and memory ---- */

static int cold(const struct bench_context *c, void *state, bool inside, bool memory,
                struct bench_sample *ret, struct error **err)
{
    double ms;
    double mib;
    int r = bench_service_cold(c, state, inside, "/score/none", &ms, &mib, err);

    *ret = (struct bench_sample){.value = memory ? mib : ms, .n = 1};
    return r;
}

static int start_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    return cold(c, state, /*inside=*/false, /*memory=*/false, ret, err);
}

static int start_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                       struct error **err)
{
    return cold(c, state, /*inside=*/true, /*memory=*/false, ret, err);
}

static int memory_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                         struct error **err)
{
    return cold(c, state, /*inside=*/false, /*memory=*/true, ret, err);
}

static int memory_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    return cold(c, state, /*inside=*/true, /*memory=*/true, ret, err);
}

const struct bench_row bench_row_flask_start = {
    .id = "flask-start",
    .unit = "ms",
    .work = "the demo service, from the command to its first answer (attestation: hello-attested)",
    .arg = &g_plan,
    .setup = bench_service_setup,
    .native = start_native,
    .nacre = start_nacre,
    .teardown = bench_service_teardown,
};

const struct bench_row bench_row_flask_memory = {
    .id = "flask-memory",
    .unit = "MiB",
    .work = "the demo service, peak resident memory of its process at its first answer",
    .arg = &g_plan,
    .setup = bench_service_setup,
    .native = memory_native,
    .nacre = memory_nacre,
    .teardown = bench_service_teardown,
};
