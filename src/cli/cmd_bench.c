/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/state_dir.h"
#include "bench/bench.h"
#include "cli/install.h"

#define RESULTS_MAX 128u

static void list_rows(void)
{
    for (size_t i = 0; i < bench_row_count(); i++) {
        const struct bench_row *row = bench_row_at(i);

        printf("%-20s %-6s %c %s\n", row->id, row->unit, row->slow ? '*' : ' ', row->work);
    }
}

/* Keys and roots of this run stay out of the user's. */
static int make_state_dir(char *dir, struct error **err)
{
    if (mkdtemp(dir) == NULL || setenv(STATE_DIR_ENV, dir, 1) < 0) {
        return error_set_errno(err, errno, "cannot make a directory for this run's keys");
    }
    return 0;
}

static int run_rows(const struct bench_row **rows, size_t count, const struct bench_context *c,
                    unsigned rounds, const char *json, bool *ret_missed, struct error **err)
{
    struct bench_result results[RESULTS_MAX];

    bench_print_head(stdout);
    for (size_t i = 0; i < count; i++) {
        int r = bench_run(rows[i], c, rounds, &results[i], err);

        if (r < 0) {
            return r;
        }
        bench_print(stdout, &results[i]);
        *ret_missed = *ret_missed || (results[i].has_bar && !results[i].bar_met);
    }
    return json != NULL ? bench_write_json(json, results, count, err) : 0;
}

static int select_rows(char **ids, size_t id_count, bool slow, const struct bench_row **ret,
                       size_t *ret_count, struct error **err)
{
    size_t count = 0;

    for (size_t i = 0; i < (id_count == 0 ? bench_row_count() : id_count); i++) {
        const struct bench_row *row = id_count == 0 ? bench_row_at(i) : bench_row_find(ids[i]);

        if (row == NULL) {
            return error_set(err, EINVAL, "there is no row '%s'; 'nacre bench --list' names them",
                             ids[i]);
        }
        if (row->slow && id_count == 0 && !slow) {
            continue;
        }
        if (count == RESULTS_MAX) {
            return error_set(err, EINVAL, "more than %u rows", RESULTS_MAX);
        }
        ret[count++] = row;
    }
    *ret_count = count;
    return 0;
}

struct settings {
    const char *json;
    const char *loader;
    const char *enclave;
    uint64_t rounds;
};

static int run_all(const struct settings *s, const struct bench_row **rows, size_t count,
                   bool *ret_missed, struct error **err)
{
    _cleanup_free_ char *folder = NULL;
    _cleanup_free_ char *loader = NULL;
    _cleanup_free_ char *enclave = NULL;
    char state[] = "/tmp/nacre-bench-XXXXXX";
    struct bench_context c;
    int r = install_folder(&folder, err);

    /* What is not there is the reason for which rows are skipped. */
    if (r == 0 && install_find(INSTALL_LOADER, s->loader, &loader, NULL) < 0) {
        r = bench_built_file(&(struct bench_context){.bin_dir = folder}, "nacre-loader", &loader,
                             err);
    }
    if (r == 0 && asprintf(&enclave, "%s/../../tests/enclave/test_enclave.elf", folder) < 0) {
        enclave = NULL;
        r = error_set_errno(err, ENOMEM, "starting");
    }
    if (r == 0) {
        r = make_state_dir(state, err);
    }
    if (r < 0) {
        return r;
    }
    c = (struct bench_context){.loader = loader,
                               .enclave = s->enclave != NULL ? s->enclave : enclave,
                               .bin_dir = folder,
                               .state_dir = state,
                               .cycles_per_ns = bench_cycles_per_ns()};
    r = run_rows(rows, count, &c, (unsigned)s->rounds, s->json, ret_missed, err);
    (void)fs_remove_tree(state);
    return r;
}

int cmd_bench(int argc, char **argv, struct error **err)
{
    struct settings s = {.rounds = 9};
    bool list = false;
    bool strict = false;
    bool slow = false;
    const struct arg_option options[] = {
        {"json", 'j', ARG_STRING, "FILE", "also write the results there", &s.json},
        {"list", 'l', ARG_FLAG, NULL, "name the rows and stop", &list},
        {"rounds", 'n', ARG_U64, "N", "batches each way, 5 to 101 (default 9)", &s.rounds},
        {"slow", 0, ARG_FLAG, NULL, "slow rows, too (with * in the list)", &slow},
        {"strict", 0, ARG_FLAG, NULL, "exit 1 when a bar is missed", &strict},
        {"loader", 0, ARG_STRING, "FILE", "nacre-loader to use", &s.loader},
        {"enclave", 0, ARG_STRING, "FILE", "test enclave to use, FILE.sig beside it", &s.enclave},
        {},
    };
    const struct arg_spec spec = {
        .verb = "nacre bench",
        .synopsis = "[OPTIONS] [ID…]",
        .summary = "Measure native Linux and nacre side by side.",
        .options = options,
        .examples = "  nacre bench\n"
                    "  nacre bench exit-slot build-4mib --rounds 21\n"
                    "  nacre bench --json build/bench.json\n",
        .notes = "Batches of both are interleaved and medians compared. Machines are shared and\n"
                 "noisy: ratios count. docs/benchmarks.md explains every row and column.",
        .max_args = RESULTS_MAX,
    };
    const struct bench_row *rows[RESULTS_MAX];
    bool missed = false;
    size_t count;
    int r = args_parse(&spec, argc, argv, &count, err);

    if (r != 0) {
        return cli_args_exit(r);
    }
    if (list) {
        list_rows();
        return CLI_OK;
    }
    if (s.rounds < BENCH_ROUNDS_MIN || s.rounds > BENCH_ROUNDS_MAX) {
        error_set(err, EINVAL, "--rounds %ju: use %u to %u", (uintmax_t)s.rounds, BENCH_ROUNDS_MIN,
                  BENCH_ROUNDS_MAX);
        return CLI_USAGE;
    }
    if (select_rows(argv, count, slow, rows, &count, err) < 0) {
        return CLI_USAGE;
    }
    if (run_all(&s, rows, count, &missed, err) < 0) {
        return CLI_FAILED;
    }
    return strict && missed ? CLI_FAILED : CLI_OK;
}
