/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Any bytes as a stream of ECREATE, EADD and EEXTEND records. What the loader measures and what a
 * backend is given to build must be the same enclave.
 */

#include <string.h>

#include "cli/sgxs.h"
#include "fuzz/fuzz.h"
#include "loader/loader.h"
#include "softsgx/internal.h"

struct sgx_enclave; /* here: a struct soft_measure in disguise */

static uint64_t g_pages;

static int add_pages(struct sgx_enclave *e, uint64_t offset, const void *src, size_t size,
                     uint64_t secinfo_flags, bool measure, struct error **err)
{
    struct soft_measure *m = (struct soft_measure *)(void *)e;

    FUZZ_CHECK(size == NACRE_PAGE_SIZE && is_page_aligned(offset) &&
               is_page_aligned((uintptr_t)src));
    soft_measure_add(m, offset, secinfo_flags);
    if (measure) {
        soft_measure_extend(m, offset, src);
    }
    g_pages++;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sgx_backend backend = {.name = "fuzz", .add_pages = add_pages};
    _cleanup_error_ struct error *err = NULL;
    struct loader_measurement m;
    struct soft_measure *built;
    uint8_t mrenclave[32];
    uint64_t tcs = 0;

    if (loader_measure_sgxs(data, size, &m, &err) < 0) {
        FUZZ_CHECK(err != NULL);
        return 0;
    }
    built = soft_measure_new();
    FUZZ_CHECK(built != NULL);
    soft_measure_create(built, m.ssa_frame_pages, m.elrange);
    g_pages = 0;
    if (sgxs_load(&backend, (struct sgx_enclave *)(void *)built, data, size, 0, &tcs, &err) == 0) {
        soft_measure_final(built, mrenclave);
        FUZZ_CHECK(memcmp(mrenclave, m.mrenclave, sizeof(mrenclave)) == 0);
        FUZZ_CHECK(g_pages * NACRE_PAGE_SIZE == m.size);
        FUZZ_CHECK(tcs < m.elrange);
    } else {
        FUZZ_CHECK(err != NULL);
    }
    (void)soft_measure_free(built);
    return 0;
}
