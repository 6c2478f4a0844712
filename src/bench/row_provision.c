/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Attested provisioning on a CAS of its own: handshake, full verification of a software quote bound
 * to the connection, policy, document, a line in the audit log on the disk. The load comes from
 * another process, which also makes the quotes, so that CPU time is the server's alone: what one
 * core can do in a second is 1 / that, whatever else this machine is busy with.
 *
 * Latency and memory are rows of their own. In the rows with 24,000 sessions the column of native
 * is the same CAS with one session: lookup must stay flat.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bench/bench.h"

#define MANY "24000"

struct provision_plan {
    const char *clients;
    const char *count;
    const char *sessions;
    const char *spread;
    const char *value; /* key of the program's answer; NULL: services a second and core */
    double scale;
};

/* Not on the disk where the sessions are many: making them is not what is measured. */
static int make_dir(const struct bench_context *c, const struct provision_plan *p, char **ret,
                    struct error **err)
{
    const bool many = strcmp(p->sessions, "1") != 0 && access("/dev/shm", W_OK) == 0;
    const int n = many ? asprintf(ret, "/dev/shm/nacre-bench-XXXXXX")
                       : asprintf(ret, "%s/provision-XXXXXX", c->state_dir);

    if (n < 0) {
        *ret = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return mkdtemp(*ret) != NULL ? 0 : error_set_errno(err, errno, "cannot make %s", *ret);
}

static int run_load(const struct bench_context *c, const struct provision_plan *p, const char *dir,
                    json_t **ret, struct error **err)
{
    _cleanup_free_ char *load = NULL;
    _cleanup_free_ char *nacre = NULL;
    _cleanup_free_ char *command = NULL;
    json_error_t e;
    FILE *f;
    int r = bench_built_file(c, "../../tests/integration/provision_load", &load, err);

    if (r == 0) {
        r = bench_built_file(c, "nacre", &nacre, err);
    }
    if (r < 0) {
        return r;
    }
    if (asprintf(&command,
                 "NACRE_STATE_DIR='%s' exec '%s' '%s' '%s/cas' --clients %s --count %s --sessions "
                 "%s --spread %s",
                 c->state_dir, load, nacre, dir, p->clients, p->count, p->sessions,
                 p->spread) < 0) {
        command = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    f = popen(command, "re");
    if (f == NULL) {
        return error_set_errno(err, errno, "cannot start %s", load);
    }
    *ret = json_loadf(f, JSON_DISABLE_EOF_CHECK, &e);
    if (pclose(f) != 0 || *ret == NULL) {
        json_decref(*ret);
        *ret = NULL;
        return error_set(err, EIO, "the load on CAS failed");
    }
    return 0;
}

static int measure(const struct bench_context *c, const struct provision_plan *p,
                   struct bench_sample *ret, struct error **err)
{
    _cleanup_free_ char *dir = NULL;
    json_t *j = NULL;
    int r = make_dir(c, p, &dir, err);

    if (r < 0) {
        return r;
    }
    r = run_load(c, p, dir, &j, err);
    (void)fs_remove_tree(dir);
    if (r < 0) {
        return r;
    }
    ret->cpu_us = json_number_value(json_object_get(j, "cpu_us"));
    ret->n = (uint64_t)json_integer_value(json_object_get(j, "requests"));
    ret->value = p->value != NULL ? json_number_value(json_object_get(j, p->value)) * p->scale
                                  : 1e6 / ret->cpu_us;
    json_decref(j);
    return 0;
}

static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    _cleanup_free_ char *load = NULL;
    int r = bench_built_file(c, "../../tests/integration/provision_load", &load, err);

    *ret_state = NULL;
    if (r == 0 && access(load, X_OK) < 0) {
        r = error_set(err, EOPNOTSUPP, "needs the load client (%s), which a build directory has",
                      load);
    }
    return r;
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    return measure(c, c->row->arg, ret, err);
}

static int one_session(const struct bench_context *c, void *state, struct bench_sample *ret,
                       struct error **err)
{
    static const struct provision_plan plan = {"16", "800", "1", "1", "cpu_us", 1};

    return measure(c, &plan, ret, err);
}

#define PROVISION_ROW(name, row_id, row_unit, bar_kind, bar_number, text, ...) \
    const struct bench_row bench_row_##name = {                                \
        .id = row_id,                                                          \
        .unit = row_unit,                                                      \
        .work = text,                                                          \
        .bar = bar_kind,                                                       \
        .bar_value = bar_number,                                               \
        .arg = &(const struct provision_plan){__VA_ARGS__},                    \
        .setup = setup,                                                        \
        .nacre = nacre,                                                        \
    }

PROVISION_ROW(provision, "provision", "/s", BENCH_BAR_MIN, 500,
              "attested provisionings a second and core of CAS, 16 clients", "16", "800", "1", "1",
              NULL, 1);
PROVISION_ROW(provision_1, "provision-1", "/s", BENCH_BAR_MIN, 500, "the same with one client", "1",
              "200", "1", "1", NULL, 1);
PROVISION_ROW(provision_128, "provision-128", "/s", BENCH_BAR_MIN, 500, "the same with 128 clients",
              "128", "800", "1", "1", NULL, 1);
PROVISION_ROW(provision_p50_1, "provision-p50-1", "ms", BENCH_BAR_NONE, 0,
              "time of a provisioning, its quote included: median with one client", "1", "200", "1",
              "1", "p50_us", 1e-3);
PROVISION_ROW(provision_p99_1, "provision-p99-1", "ms", BENCH_BAR_NONE, 0,
              "the slowest of a hundred with one client", "1", "200", "1", "1", "p99_us", 1e-3);
PROVISION_ROW(provision_p50_16, "provision-p50-16", "ms", BENCH_BAR_NONE, 0,
              "median with 16 clients on this machine's cores", "16", "800", "1", "1", "p50_us",
              1e-3);
PROVISION_ROW(provision_p99_16, "provision-p99-16", "ms", BENCH_BAR_NONE, 0,
              "the slowest of a hundred with 16 clients", "16", "800", "1", "1", "p99_us", 1e-3);
PROVISION_ROW(provision_p50_128, "provision-p50-128", "ms", BENCH_BAR_NONE, 0,
              "median with 128 clients", "128", "800", "1", "1", "p50_us", 1e-3);
PROVISION_ROW(provision_p99_128, "provision-p99-128", "ms", BENCH_BAR_NONE, 0,
              "the slowest of a hundred with 128 clients", "128", "800", "1", "1", "p99_us", 1e-3);
PROVISION_ROW(provision_memory, "provision-memory", "MiB", BENCH_BAR_NONE, 0,
              "memory of CAS behind 128 clients", "128", "800", "1", "1", "rss_kib", 1.0 / 1024);

const struct bench_row bench_row_provision_24k = {
    .id = "provision-24k",
    .unit = "us",
    .work = "CPU time of CAS for one, 24,000 sessions stored, beside one session stored",
    .bar = BENCH_BAR_RATIO_MAX,
    .bar_value = 1.15,
    .arg = &(const struct provision_plan){"16", "800", MANY, "1", "cpu_us", 1},
    .setup = setup,
    .native = one_session,
    .nacre = nacre,
};

const struct bench_row bench_row_provision_24k_all = {
    .id = "provision-24k-all",
    .unit = "us",
    .work = "the same with each of the 24,000 asked for in turn, from the database",
    .arg = &(const struct provision_plan){"16", "800", MANY, MANY, "cpu_us", 1},
    .setup = setup,
    .native = one_session,
    .nacre = nacre,
};
