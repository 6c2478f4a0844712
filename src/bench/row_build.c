/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Creating, adding, measuring and initialising an enclave through the backend this machine has.
 * Beside it the least any of this can cost: SHA-256 over the bytes that are measured.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crypto.h"
#include "bench/bench.h"
#include "core/sha256.h"
#include "loader/loader.h"
#include "loader/measure.h"
#include "sign/sigstruct.h"

#define MIB           ((size_t)1 << 20)
#define ELRANGE       (64 * MIB)
#define BASE          0x300000000000ull
#define RECORDS(size) ((size) / NACRE_PAGE_SIZE * (64 + 16 * (64 + 256)))

struct build_state {
    const struct sgx_backend *backend;
    struct sgx_secs secs;
    struct sgx_sigstruct sigstruct;
    uint8_t *pages;
    size_t size; /* bytes measured */
};

static void build_teardown(void *state)
{
    struct build_state *s = state;

    free(s->pages);
    free(s);
}

static int build_on(const struct build_state *s, const struct sgx_backend *b,
                    struct sgx_enclave **ret, struct error **err)
{
    int r = b->create(&s->secs, ret, err);

    if (r == 0) {
        r = b->add_pages(*ret, 0, s->pages, s->size, SGX_SECINFO_REG | SGX_SECINFO_R, true, err);
        if (r < 0) {
            b->destroy(*ret);
        }
    }
    return r;
}

static int sign_it(struct build_state *s, struct error **err)
{
    _cleanup_key_ struct evp_pkey_st *key = NULL;
    struct sigstruct_params p;
    struct sgx_enclave *e;
    int r = build_on(s, &measure_backend, &e, err);

    if (r < 0) {
        return r;
    }
    sigstruct_params_default(&p);
    p.date = 0x20260101;
    measure_result(e, p.mrenclave);
    measure_backend.destroy(e);
    s->secs.attributes = p.attributes;
    s->secs.miscselect = p.miscselect;
    r = crypto_rsa3072_generate(&key);
    if (r < 0) {
        return error_set_errno(err, -r, "making a key");
    }
    r = sigstruct_build(&p, &s->sigstruct, err);
    return r < 0 ? r : sigstruct_sign(&s->sigstruct, key, err);
}

/* The row's arg. */
struct build_row {
    size_t size;  /* of the enclave */
    double parts; /* the row tells the time of one of so many */
};

static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    const size_t size = ((const struct build_row *)c->row->arg)->size;
    struct build_state *s = calloc(1, sizeof(*s));
    enum loader_mode mode;
    int r;

    if (s == NULL) {
        return error_set(err, ENOMEM, "out of memory");
    }
    s->size = size;
    s->secs = (struct sgx_secs){.size = ELRANGE, .base = BASE, .ssa_frame_size = 1};
    s->pages = aligned_alloc(NACRE_PAGE_SIZE, size);
    r = s->pages == NULL ? error_set(err, ENOMEM, "out of memory")
                         : loader_mode_from_env(&mode, err);
    if (r == 0) {
        for (size_t i = 0; i < size; i++) {
            s->pages[i] = (uint8_t)(i * 31 + (i >> 12));
        }
        r = loader_backend_for(mode, &s->backend, err);
    }
    if (r == 0) {
        r = sign_it(s, err);
    }
    if (r < 0) {
        build_teardown(s);
        return r;
    }
    *ret_state = s;
    return 0;
}

/* As the row tells it. */
static void in_parts(const struct bench_context *c, struct bench_sample *s)
{
    const double parts = ((const struct build_row *)c->row->arg)->parts;

    s->value /= parts;
    s->cpu_us /= parts;
    s->n = (uint64_t)parts;
}

static int native_hash(const struct bench_context *c, void *state, struct bench_sample *ret,
                       struct error **err)
{
    const struct build_state *s = state;
    const double start = bench_now_ns();
    uint8_t digest[SHA256_SIZE];
    struct sha256 h;

    sha256_init(&h);
    for (size_t left = RECORDS(s->size); left > 0;) {
        const size_t step = MIN(left, s->size);

        sha256_update(&h, s->pages, step);
        left -= step;
    }
    sha256_final(&h, digest);
    ret->value = (bench_now_ns() - start) / 1e6;
    in_parts(c, ret);
    return 0;
}

static int build_and_destroy(const struct bench_context *c, void *state, struct bench_sample *ret,
                             struct error **err)
{
    const struct build_state *s = state;
    const double cpu = bench_cpu_ns();
    const double start = bench_now_ns();
    struct sgx_enclave *e;
    int r = build_on(s, s->backend, &e, err);

    if (r < 0) {
        return r;
    }
    r = s->backend->init(e, &s->sigstruct, err);
    ret->value = (bench_now_ns() - start) / 1e6;
    ret->cpu_us = (bench_cpu_ns() - cpu) / 1e3;
    in_parts(c, ret);
    s->backend->destroy(e);
    return r;
}

const struct bench_row bench_row_build_4mib = {
    .id = "build-4mib",
    .unit = "ms",
    .work = "create, add, measure, init an enclave with 4 MiB, beside SHA-256 of its records",
    .bar = BENCH_BAR_MAX,
    .bar_value = 40,
    .arg = &(const struct build_row){4 * MIB, 1},
    .setup = setup,
    .native = native_hash,
    .nacre = build_and_destroy,
    .teardown = build_teardown,
};

const struct bench_row bench_row_build_mib = {
    .id = "build-mib",
    .unit = "ms",
    .work = "the same per MiB, of an enclave with 32 MiB",
    .arg = &(const struct build_row){32 * MIB, 32},
    .setup = setup,
    .native = native_hash,
    .nacre = build_and_destroy,
    .teardown = build_teardown,
};
