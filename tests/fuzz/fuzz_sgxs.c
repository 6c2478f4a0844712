/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a stream of measurement records: measured or refused, and what is measured is the
 * hash of the bytes themselves. */

#include <string.h>

#include "core/sha256.h"
#include "fuzz/fuzz.h"
#include "loader/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct loader_measurement m;
    struct error *err = NULL;
    uint8_t digest[SHA256_SIZE];

    if (loader_measure_sgxs(data, size, &m, &err) == 0) {
        sha256(data, size, digest);
        FUZZ_CHECK(memcmp(digest, m.mrenclave, sizeof(digest)) == 0);
    } else {
        FUZZ_CHECK(err != NULL);
    }
    err = error_free(err);
    return 0;
}
