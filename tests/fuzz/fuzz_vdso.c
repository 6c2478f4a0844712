/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Any bytes as a vDSO: an offset that is found lies in the image. */

#include "fuzz/fuzz.h"
#include "loader/vdso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t offset;
    size_t mapped;

    if (size >= NACRE_PAGE_SIZE && vdso_size(data, &mapped) == 0) {
        FUZZ_CHECK(mapped > 0 && mapped <= VDSO_SIZE_MAX);
    }
    if (vdso_find(data, size, "__vdso_sgx_enter_enclave", &offset) == 0) {
        FUZZ_CHECK(offset < size);
    }
    return 0;
}
