/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Moving bytes between iterators and the bounce area. */

#include "libos/host/host_io.h"

#include "libos/host/host_mem.h"

#define CHUNK 2048u

/* Application memory is reached through mm/user.h, which takes enclave addresses on the other
 * side; a chunk on the stack (L1-resident) stands between. */
size_t iter_from_bounce(struct iter *to, const void *untrusted, size_t size)
{
    _aligned_(8) uint8_t chunk[CHUNK];
    size_t done = 0;

    if (to->kernel && to->count == 1) {
        size = MIN(size, to->left);
        host_copy_in((void *)(uintptr_t)(to->v->base + to->done_in_first), untrusted, size);
        iter_skip(to, size);
        return size;
    }
    while (done < size) {
        size_t n = MIN(size - done, sizeof(chunk));

        host_copy_in(chunk, (const uint8_t *)untrusted + done, n);
        size_t copied = iter_put(to, chunk, n);

        done += copied;
        if (copied < n) {
            break;
        }
    }
    return done;
}

size_t iter_to_bounce(struct iter *from, void *untrusted, size_t size)
{
    _aligned_(8) uint8_t chunk[CHUNK];
    size_t done = 0;

    size = MIN(size, from->left);
    if (from->kernel && from->count == 1) {
        host_copy_out(untrusted, (const void *)(uintptr_t)(from->v->base + from->done_in_first),
                      size);
        iter_skip(from, size);
        return size;
    }
    while (done < size) {
        size_t n = MIN(size - done, sizeof(chunk));
        size_t copied = iter_take(from, chunk, n);

        host_copy_out((uint8_t *)untrusted + done, chunk, copied);
        done += copied;
        if (copied < n) {
            break;
        }
    }
    return done;
}
