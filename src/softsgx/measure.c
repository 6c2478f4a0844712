/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* MRENCLAVE as ECREATE, EADD and EEXTEND extend it: blocks of 64 bytes (SDM 36.4). */

#include "softsgx/internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/le.h"
#include "core/sha256.h"

struct soft_measure {
    struct sha256 hash;
};

struct soft_measure *soft_measure_new(void)
{
    struct soft_measure *m = calloc(1, sizeof(*m));

    if (m != NULL) {
        sha256_init(&m->hash);
    }
    return m;
}

struct soft_measure *soft_measure_free(struct soft_measure *m)
{
    free(m);
    return NULL;
}

void soft_measure_create(struct soft_measure *m, uint32_t ssa_frame_size, uint64_t size)
{
    uint8_t block[64] = "ECREATE";

    le32_store(block + 8, ssa_frame_size);
    le64_store(block + 12, size);
    sha256_update(&m->hash, block, sizeof(block));
}

void soft_measure_add(struct soft_measure *m, uint64_t offset, uint64_t secinfo_flags)
{
    uint8_t block[64] = "EADD";

    le64_store(block + 8, offset);
    le64_store(block + 16, secinfo_flags);
    sha256_update(&m->hash, block, sizeof(block));
}

void soft_measure_extend(struct soft_measure *m, uint64_t offset, const uint8_t *page)
{
    for (size_t at = 0; at < NACRE_PAGE_SIZE; at += SGX_EEXTEND_CHUNK) {
        uint8_t block[64] = "EEXTEND";

        le64_store(block + 8, offset + at);
        sha256_update(&m->hash, block, sizeof(block));
        sha256_update(&m->hash, page + at, SGX_EEXTEND_CHUNK);
    }
}

void soft_measure_final(struct soft_measure *m, uint8_t ret[static 32])
{
    struct sha256 copy = m->hash;

    sha256_final(&copy, ret);
}
