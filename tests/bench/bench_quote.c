/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * quote: a software quote of a REPORT, MAC check included, with the quoting enclave already
 * started. quote-first: opening the software root and starting it, as a process does once.
 * Medians of batches, in wall and in CPU time, beside a bare getppid of the same run.
 */

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/state_dir.h"
#include "core/cmac.h"
#include "softsgx/keys.h"
#include "softsgx/quote.h"
#include "softsgx/root_internal.h"

#define BATCHES 15

static struct sgx_report g_report;

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool do_getppid(void)
{
    return syscall(SYS_getppid) >= 0;
}

static bool do_quote(void)
{
    uint8_t *quote = NULL;
    size_t size;
    const bool ok = soft_quote(&g_report, &quote, &size, NULL) == 0;

    free(quote);
    return ok;
}

static bool do_first(void)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    struct soft_qe *qe = NULL;
    const bool ok = soft_root_open(&root, NULL) == 0 && soft_qe_new(root, &qe, NULL) == 0;

    (void)soft_qe_free(qe);
    return ok;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Medians over the batches, in microseconds an operation. */
static int measure(bool (*op)(void), size_t per_batch, double *ret_wall, double *ret_cpu)
{
    double wall[BATCHES];
    double cpu[BATCHES];

    for (size_t b = 0; b < BATCHES; b++) {
        const double wall0 = seconds(CLOCK_MONOTONIC);
        const double cpu0 = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (size_t i = 0; i < per_batch; i++) {
            if (!op()) {
                return -EIO;
            }
        }
        cpu[b] = (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu0) * 1e6 / (double)per_batch;
        wall[b] = (seconds(CLOCK_MONOTONIC) - wall0) * 1e6 / (double)per_batch;
    }
    qsort(wall, BATCHES, sizeof(wall[0]), by_value);
    qsort(cpu, BATCHES, sizeof(cpu[0]), by_value);
    *ret_wall = wall[BATCHES / 2];
    *ret_cpu = cpu[BATCHES / 2];
    return 0;
}

static int prepare(struct error **err)
{
    struct sgx_targetinfo target;
    uint8_t key[16];
    int r = soft_quote_target(&target, err);

    if (r == 0) {
        memcpy(g_report.key_id, soft_report_key_id(), sizeof(g_report.key_id));
        soft_report_key(&target, g_report.key_id, key);
        cmac_aes128(key, &g_report.body, sizeof(g_report.body), g_report.mac);
    }
    return r;
}

static int run(struct error **err)
{
    static const struct {
        const char *id;
        bool (*op)(void);
        size_t per_batch;
    } rows[] = {
        {"quote", do_quote, 200},
        {"quote-first", do_first, 20},
    };
    double native;
    double ignored;
    int r = prepare(err);

    if (r < 0 || measure(do_getppid, 20000, &native, &ignored) < 0) {
        return r < 0 ? r : -EIO;
    }
    printf("[\n");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        double wall;
        double cpu;

        if (measure(rows[i].op, rows[i].per_batch, &wall, &cpu) < 0) {
            return error_set(err, EIO, "%s failed", rows[i].id);
        }
        printf("  {\"id\": \"%s\", \"unit\": \"us\", \"native\": %.3f, \"nacre\": %.1f, "
               "\"ratio\": %.1f, \"exits_per_op\": 0, \"cpu_us_per_op\": %.1f, \"n\": %zu}%s\n",
               rows[i].id, native, wall, wall / native, cpu, rows[i].per_batch * BATCHES,
               i + 1 < ARRAY_COUNT(rows) ? "," : "");
    }
    printf("]\n");
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

int main(void)
{
    _cleanup_error_ struct error *err = NULL;
    char dir[] = "/tmp/nacre-bench-quote-XXXXXX";
    int r;

    if (mkdtemp(dir) == NULL || setenv(STATE_DIR_ENV, dir, 1) < 0) {
        fprintf(stderr, "bench: no directory for the state\n");
        return 1;
    }
    r = run(&err);
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    if (r < 0) {
        fprintf(stderr, "bench: %s\n", error_text(err));
        return 1;
    }
    return 0;
}
