/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/blob_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/slot_ring.h"

#define BUFFERS     4u
#define BUFFER_SIZE ((size_t)256 * 1024)
#define SMALL_MAX   ((uint64_t)1 << 20) /* not worth a thread */

struct buffer {
    size_t size;
    struct sha256 digest; /* up to its end */
    uint8_t data[BUFFER_SIZE];
};

struct blob_reader {
    const struct img_layer *layer;
    const struct img_progress *progress;
    uint64_t at;          /* the reading thread's */
    struct sha256 digest; /* up to there */
    struct sha256 given;  /* up to the end of the piece given last */
    struct slot_ring ring;
    pthread_t thread;
    bool threaded;
    bool held; /* the owner works on a slot */
    struct buffer buffers[BUFFERS];
};

/* Reads on into a buffer; its size is 0 at the end. */
static int fill(struct blob_reader *b, struct buffer *into, struct error **err)
{
    const struct img_region *r = &b->layer->region;
    const size_t want = (size_t)MIN(r->size - b->at, (uint64_t)BUFFER_SIZE);
    ssize_t n = 0;

    if (want > 0) {
        do {
            n = pread(r->fd, into->data, want, (off_t)(r->offset + b->at));
        } while (n < 0 && errno == EINTR);
        if (n < 0) {
            return error_set_errno(err, errno, "cannot read %s", b->layer->name);
        }
        if (n == 0) {
            return error_set(err, EBADMSG, "%s is cut off after %llu of %llu bytes", b->layer->name,
                             (unsigned long long)b->at, (unsigned long long)r->size);
        }
    }
    sha256_update(&b->digest, into->data, (size_t)n);
    b->at += (uint64_t)n;
    into->size = (size_t)n;
    into->digest = b->digest;
    if (n > 0 && b->progress->report != NULL) {
        b->progress->report(b->progress->ctx, (uint64_t)n);
    }
    return 0;
}

static void *work(void *arg)
{
    struct blob_reader *b = arg;
    struct error *error = NULL;
    unsigned slot;
    int r = 0;

    while (r == 0 && slot_ring_wait_free(&b->ring, &slot)) {
        r = fill(b, &b->buffers[slot], &error);
        if (r < 0 || b->buffers[slot].size == 0) {
            break;
        }
        slot_ring_push(&b->ring);
    }
    slot_ring_end(&b->ring, r, error);
    return NULL;
}

int blob_reader_open(const struct img_layer *layer, uint64_t at, const struct sha256 *before,
                     const struct img_progress *progress, struct blob_reader **ret,
                     struct error **err)
{
    struct blob_reader *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", layer->name);
    }
    b->layer = layer;
    b->progress = progress;
    b->at = at;
    if (before == NULL) {
        sha256_init(&b->digest);
    } else {
        b->digest = *before;
    }
    b->given = b->digest;
    slot_ring_init(&b->ring, BUFFERS);
    /* Without a thread it is only slower. */
    b->threaded =
        layer->region.size - at > SMALL_MAX && pthread_create(&b->thread, NULL, work, b) == 0;
    *ret = b;
    return 0;
}

struct blob_reader *blob_reader_free(struct blob_reader *b)
{
    if (b != NULL) {
        if (b->threaded) {
            slot_ring_stop(&b->ring, 0, NULL);
            (void)pthread_join(b->thread, NULL);
        }
        slot_ring_done(&b->ring);
        free(b);
    }
    return NULL;
}

int blob_reader_next(struct blob_reader *b, const uint8_t **ret, size_t *ret_size,
                     struct error **err)
{
    unsigned slot = 0;

    if (!b->threaded) {
        int r = fill(b, &b->buffers[0], err);

        if (r < 0) {
            return r;
        }
    } else {
        if (b->held) {
            slot_ring_pop(&b->ring);
        }
        b->held = slot_ring_wait_full(&b->ring, &slot);
        if (!b->held) {
            *ret_size = 0;
            return slot_ring_outcome(&b->ring, err);
        }
    }
    *ret = b->buffers[slot].data;
    *ret_size = b->buffers[slot].size;
    b->given = b->buffers[slot].digest;
    return 0;
}

void blob_reader_digest(const struct blob_reader *b, struct sha256 *ret)
{
    *ret = b->given;
}
