/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Answers of name servers to one question of each type. */

#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "loader/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolve_address found[RESOLVE_MAX];

    for (int i = 0; i < 2; i++) {
        int r = resolve_parse_answer(data, size, 0x1234, "cas.example", i == 0 ? 1 : 28, found, 3);

        if (r > (int)RESOLVE_MAX - 3) {
            abort();
        }
    }
    return 0;
}
