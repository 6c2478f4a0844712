/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Messages of members to the owner about shared pages and futexes, in any order and of any kind. */
#include "fuzz.h"

#include <string.h>

#include "libos/shm/directory.h"
#include "libos/shm/futexes.h"

#define MEMBERS 4u

static bool swallow(uint32_t member, const struct shm_head *h, const uint8_t *content)
{
    volatile uint8_t sum = content == NULL ? 0 : content[0] ^ content[NACRE_PAGE_SIZE - 1];

    (void)sum;
    return member < MEMBERS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t page[NACRE_PAGE_SIZE];
    uint64_t base = 0;
    uint64_t pages;

    directory_start(swallow);
    if (directory_create(0, 200, &base) < 0) {
        return 0;
    }
    for (uint32_t m = 1; m < MEMBERS; m++) {
        (void)!directory_attach(m, base, &pages);
    }
    /* member, operation, flags, object, page, then a, b, e: eight bytes a message */
    for (; size >= 8; data += 8, size -= 8) {
        const uint32_t member = data[0] % (MEMBERS + 1);
        const struct shm_head h = {.op = data[1] % 16,
                                   .flags = data[2],
                                   .object = base + data[3] % 3,
                                   .page = data[4],
                                   .a = data[5],
                                   .b = data[6],
                                   .c = data[6],
                                   .e = data[7]};

        if (data[1] >= 250) {
            directory_gone(member);
            futexes_gone(member);
        } else if (h.op >= SHM_FUTEX_WAIT && h.op <= SHM_FUTEX_REQUEUE) {
            (void)!futexes_take(member, &h, swallow);
        } else {
            (void)!directory_take(member, &h, page, shm_has_content(&h) ? sizeof(page) : 0);
        }
    }
    directory_forget();
    futexes_forget();
    return 0;
}
