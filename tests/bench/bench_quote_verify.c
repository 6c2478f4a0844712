/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * quote-verify: full DCAP verification. Cold: collateral parsed and all its signatures checked,
 * then one quote. Warm: one more quote against the same collateral, as a service does it. Each is
 * the median of batches, in wall and in CPU time, beside a bare getppid of the same run.
 */

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/fs.h"

#define VERIFY_TIME INT64_C(1770000000)
#define BATCHES     15

enum { QUOTE, TCB_INFO, QE_IDENTITY, CHAIN, PCK_CRL, ROOT_CRL, ROOT, FILE_COUNT };

static const char *const g_files[] = {
    [QUOTE] = "up-to-date/quote.bin",
    [TCB_INFO] = "up-to-date/tcb_info.json",
    [QE_IDENTITY] = "up-to-date/qe_identity.json",
    [CHAIN] = "up-to-date/tcb_signing_chain.pem",
    [PCK_CRL] = "up-to-date/pck_crl.der",
    [ROOT_CRL] = "up-to-date/root_ca_crl.der",
    [ROOT] = "root.pem",
};

struct work {
    struct att_blob files[FILE_COUNT];
    struct att_collateral_input input;
    struct att_root root;
    struct att_collateral *collateral;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool do_warm(struct work *w)
{
    struct att_claims claims;

    return att_verify(w->files[QUOTE].data, w->files[QUOTE].size, w->collateral, VERIFY_TIME,
                      &claims, NULL) == 0;
}

static bool do_cold(struct work *w)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    struct att_claims claims;

    return att_collateral_new(&w->input, &w->root, 1, &collateral, NULL) == 0 &&
           att_verify(w->files[QUOTE].data, w->files[QUOTE].size, collateral, VERIFY_TIME, &claims,
                      NULL) == 0;
}

static bool do_getppid(struct work *w)
{
    return syscall(SYS_getppid) >= 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Medians over the batches, in microseconds an operation. */
static int measure(bool (*op)(struct work *), struct work *w, size_t per_batch, double *ret_wall,
                   double *ret_cpu)
{
    double wall[BATCHES];
    double cpu[BATCHES];

    for (size_t b = 0; b < BATCHES; b++) {
        double wall0 = seconds(CLOCK_MONOTONIC);
        double cpu0 = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (size_t i = 0; i < per_batch; i++) {
            if (!op(w)) {
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

static int load(const char *dir, struct work *w, struct error **err)
{
    struct att_reason why;

    for (size_t i = 0; i < FILE_COUNT; i++) {
        _cleanup_free_ char *path = NULL;
        uint8_t *data;
        int r;

        if (asprintf(&path, "%s/%s", dir, g_files[i]) < 0) {
            return error_set(err, ENOMEM, "out of memory");
        }
        r = fs_read_file(path, ATT_CRL_MAX, &data, &w->files[i].size, err);
        if (r < 0) {
            return r;
        }
        w->files[i].data = data; /* for the life of the process */
    }
    w->input = (struct att_collateral_input){
        .tcb_info = w->files[TCB_INFO],
        .qe_identity = w->files[QE_IDENTITY],
        .tcb_signing_chain = w->files[CHAIN],
        .pck_crl = w->files[PCK_CRL],
        .root_ca_crl = w->files[ROOT_CRL],
    };
    if (att_root_from_cert(w->files[ROOT].data, w->files[ROOT].size, ATT_ROOT_SOFTWARE, NULL,
                           &w->root, &why) < 0 ||
        att_collateral_new(&w->input, &w->root, 1, &w->collateral, &why) < 0) {
        return error_set(err, EIO, "%s: %s", att_code_sentence(why.code), why.detail);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *id;
        bool (*op)(struct work *);
        size_t per_batch;
    } rows[] = {
        {"quote-verify", do_cold, 40},
        {"quote-verify-warm", do_warm, 100},
    };
    _cleanup_error_ struct error *err = NULL;
    struct work w = {0};
    double native;
    double ignored;

    if (argc != 2) {
        fprintf(stderr, "usage: %s tests/vectors/attest\n", argv[0]);
        return 2;
    }
    if (load(argv[1], &w, &err) < 0 || measure(do_getppid, &w, 20000, &native, &ignored) < 0) {
        fprintf(stderr, "bench: %s\n", error_text(err));
        return 1;
    }
    printf("[\n");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        double wall;
        double cpu;

        if (measure(rows[i].op, &w, rows[i].per_batch, &wall, &cpu) < 0) {
            fprintf(stderr, "bench: %s does not verify\n", rows[i].id);
            return 1;
        }
        printf("  {\"id\": \"%s\", \"unit\": \"us\", \"native\": %.3f, \"nacre\": %.1f, "
               "\"ratio\": %.1f, \"exits_per_op\": 0, \"cpu_us_per_op\": %.1f, \"n\": %zu}%s\n",
               rows[i].id, native, wall, wall / native, cpu, rows[i].per_batch * BATCHES,
               i + 1 < ARRAY_COUNT(rows) ? "," : "");
    }
    printf("]\n");
    w.collateral = att_collateral_free(w.collateral);
    return 0;
}
