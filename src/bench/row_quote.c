/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Verifying a DCAP quote in full, chain and collateral in memory: the quote of a real (software)
 * enclave of this run, against this run's software root. Warm: the collateral was parsed and its
 * signatures checked before, as a service does it. Cold: all of that for each quote.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attest/verifier.h"
#include "base/alloc.h"
#include "base/fs.h"
#include "bench/bench.h"
#include "softsgx/root.h"

enum { TCB_INFO, QE_IDENTITY, CHAIN, PCK_CRL, ROOT_CRL, ROOT, FILES };

static const char *const names[FILES] = {
    [TCB_INFO] = "tcb_info.json",      [QE_IDENTITY] = "qe_identity.json",
    [CHAIN] = "tcb_signing_chain.pem", [PCK_CRL] = "pck_crl.der",
    [ROOT_CRL] = "root_ca_crl.der",    [ROOT] = "root_ca.pem",
};

struct verify_state {
    uint8_t *quote;
    size_t quote_size;
    uint8_t *files[FILES];
    size_t sizes[FILES];
    struct att_root root;
    struct att_collateral_input input;
    struct att_collateral *collateral;
    int64_t now;
};

static void verify_teardown(void *state)
{
    struct verify_state *s = state;

    s->collateral = att_collateral_free(s->collateral);
    for (size_t i = 0; i < FILES; i++) {
        free(s->files[i]);
    }
    free(s->quote);
    free(s);
}

static int read_collateral(const struct bench_context *c, struct verify_state *s,
                           struct error **err)
{
    _cleanup_soft_root_ struct soft_root *root = NULL;
    _cleanup_free_ char *dir = NULL;
    int r = soft_root_open(&root, err);

    if (r < 0) {
        return r;
    }
    if (asprintf(&dir, "%s/collateral", c->state_dir) < 0) {
        dir = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    r = soft_root_export(root, dir, err);
    for (size_t i = 0; r == 0 && i < FILES; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
            return error_set(err, ENOMEM, "out of memory");
        }
        r = fs_read_file(path, ATT_CRL_MAX, &s->files[i], &s->sizes[i], err);
    }
    return r;
}

static int open_collateral(const struct verify_state *s, struct att_collateral **ret)
{
    struct att_reason why;

    return att_collateral_new(&s->input, &s->root, 1, ret, &why);
}

static int prepare(const struct bench_context *c, struct verify_state *s, struct error **err)
{
    struct bench_sample ignored;
    struct att_reason why;
    int r = bench_enclave_loop(c, "quote", 1, &ignored, &s->quote, &s->quote_size, err);

    if (r == 0) {
        r = read_collateral(c, s, err);
    }
    if (r < 0) {
        return r;
    }
#define BLOB(i) {s->files[i], s->sizes[i]}
    s->input = (struct att_collateral_input){.tcb_info = BLOB(TCB_INFO),
                                             .qe_identity = BLOB(QE_IDENTITY),
                                             .tcb_signing_chain = BLOB(CHAIN),
                                             .pck_crl = BLOB(PCK_CRL),
                                             .root_ca_crl = BLOB(ROOT_CRL)};
#undef BLOB
    s->now = time(NULL);
    if (att_root_from_cert(s->files[ROOT], s->sizes[ROOT], ATT_ROOT_SOFTWARE, NULL, &s->root,
                           &why) < 0 ||
        open_collateral(s, &s->collateral) < 0) {
        return error_set(err, EIO, "this run's software root or collateral is not accepted");
    }
    return 0;
}

static int verify_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    struct verify_state *s;
    int r = bench_need_enclave(c, err);

    if (r < 0) {
        return r;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    r = prepare(c, s, err);
    if (r < 0) {
        verify_teardown(s);
        return r;
    }
    *ret_state = s;
    return 0;
}

static int verify_one(const struct verify_state *s, const struct att_collateral *collateral,
                      struct error **err)
{
    struct att_claims claims;
    struct att_reason why = {};

    if (att_verify(s->quote, s->quote_size, collateral, s->now, &claims, &why) < 0) {
        return error_set(err, EIO, "the quote of this run does not verify (reason %d)", why.code);
    }
    return 0;
}

static int verify_batch(const struct verify_state *s, bool cold, uint64_t count,
                        struct bench_sample *ret, struct error **err)
{
    const double cpu = bench_cpu_ns();
    const double start = bench_now_ns();
    int r = 0;

    for (uint64_t i = 0; r == 0 && i < count; i++) {
        struct att_collateral *fresh = NULL;

        if (cold && open_collateral(s, &fresh) < 0) {
            return error_set(err, EIO, "the collateral is not accepted");
        }
        r = verify_one(s, cold ? fresh : s->collateral, err);
        fresh = att_collateral_free(fresh);
    }
    ret->value = (bench_now_ns() - start) / (double)count / 1e3;
    ret->cpu_us = (bench_cpu_ns() - cpu) / (double)count / 1e3;
    ret->n = count;
    return r;
}

static int warm(const struct bench_context *c, void *state, struct bench_sample *ret,
                struct error **err)
{
    return verify_batch(state, false, 100, ret, err);
}

static int cold(const struct bench_context *c, void *state, struct bench_sample *ret,
                struct error **err)
{
    return verify_batch(state, true, 50, ret, err);
}

static int bare_getppid(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    bench_bare_syscall(SYS_getppid, 100000, ret);
    ret->value /= 1e3;
    return 0;
}

const struct bench_row bench_row_quote_verify = {
    .id = "quote-verify",
    .unit = "us",
    .work = "full DCAP verification, chain and collateral in memory, beside a bare getppid",
    .bar = BENCH_BAR_MAX,
    .bar_value = 1000,
    .setup = verify_setup,
    .native = bare_getppid,
    .nacre = warm,
    .teardown = verify_teardown,
};

const struct bench_row bench_row_quote_verify_cold = {
    .id = "quote-verify-cold",
    .unit = "us",
    .work = "the same with the collateral's own signatures checked for each quote",
    .setup = verify_setup,
    .native = bare_getppid,
    .nacre = cold,
    .teardown = verify_teardown,
};
