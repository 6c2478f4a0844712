/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include <linux/random.h>

#include "core/ct.h"
#include "libos/lib/random.h"
#include "libos/mm/user.h"
#include "libos/sys/syscall.h"

#define CHUNK 256u

/* From the processor, never from the host; never short and never blocking. */
SYSCALL_3(getrandom, uint64_t, user_dst, uint64_t, size, uint32_t, flags)
{
    uint8_t chunk[CHUNK];
    uint64_t done = 0;
    int r = 0;

    if ((flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
        (flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM)) {
        return -EINVAL;
    }
    size = MIN(size, (uint64_t)INT32_MAX);
    while (done < size && r == 0) {
        const size_t n = (size_t)MIN(size - done, (uint64_t)sizeof(chunk));

        random_bytes(chunk, n);
        r = user_copy_out(user_dst + done, chunk, n);
        done += r == 0 ? n : 0;
    }
    ct_wipe(chunk, sizeof(chunk));
    return r < 0 && done == 0 ? r : (int64_t)done;
}
