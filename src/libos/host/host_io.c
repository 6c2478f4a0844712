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

/* ---- streams ---- */

void host_stream_open(struct host_stream *s, int fd, size_t room)
{
    *s = (struct host_stream){.fd = fd, .bounce = bounce_take(room, NACRE_PAGE_SIZE)};
}

void host_stream_close(struct host_stream *s)
{
    bounce_drop(&s->bounce);
}

/* What is left over, less than a word or of the next message, moves to the front. Its content is
 * the host's all the same. */
static int refill(struct host_stream *s)
{
    const size_t left = s->end - s->at;
    int64_t n;

    if (s->bounce.p == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < left; i++) {
        ((volatile uint8_t *)s->bounce.p)[i] = ((volatile uint8_t *)s->bounce.p)[s->at + i];
    }
    s->at = 0;
    s->end = left;
    n = host_count(host_call(HOSTCALL_read, (uint64_t)(int64_t)s->fd, (uintptr_t)s->bounce.p + left,
                             s->bounce.size - left, 0, 0, 0),
                   s->bounce.size - left);
    if (n <= 0) {
        return n == 0 ? -EPIPE : (int)n;
    }
    s->end += (size_t)n;
    return 0;
}

int host_stream_read(struct host_stream *s, void *dst, size_t size, size_t *done)
{
    while (*done < size) {
        const size_t words = MIN((s->end - s->at) & ~(size_t)7, size - *done);
        int r;

        if (words == 0) {
            r = refill(s);
            if (r < 0) {
                return r;
            }
            continue;
        }
        host_copy_in((uint8_t *)dst + *done, s->bounce.p + s->at, words);
        s->at += words;
        *done += words;
    }
    return 0;
}
