/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/layer_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "core/hex.h"
#include "image/layer_unpack.h"

/*
 * Two threads: one reads, digests and decompresses, the other (the caller) digests the tar and uses
 * it. A ring of buffers lies between them. Everything the producer leaves besides the buffers
 * (error, end) is read only after its mark was seen under the lock.
 */

#define RING_BUFFERS 4u
#define BUFFER_SIZE  (512u * 1024)

struct layer_stream {
    const struct img_layer *layer;
    struct layer_unpack *unpack; /* the producer's until it ended */
    bool want_diff_id;
    struct sha256 diff_id;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t freed;
    size_t sizes[RING_BUFFERS];
    unsigned first; /* oldest full buffer */
    unsigned full;  /* full buffers, the one the caller holds included */
    bool held;      /* the caller works on buffers[first] */
    bool ended;     /* the producer adds no more */
    bool stop;      /* the caller wants no more */
    int code;       /* the producer's failure */
    struct error *error;
    uint8_t buffers[RING_BUFFERS][BUFFER_SIZE];
};

/* Waits for a free buffer; RING_BUFFERS when the caller gave up. */
static unsigned wait_free(struct layer_stream *s)
{
    unsigned slot;

    (void)pthread_mutex_lock(&s->lock);
    while (s->full == RING_BUFFERS && !s->stop) {
        (void)pthread_cond_wait(&s->freed, &s->lock);
    }
    slot = s->stop ? RING_BUFFERS : (s->first + s->full) % RING_BUFFERS;
    (void)pthread_mutex_unlock(&s->lock);
    return slot;
}

static void *produce(void *arg)
{
    struct layer_stream *s = arg;
    struct error *error = NULL;
    size_t size = 1;
    int code = 0;

    while (code == 0 && size > 0) {
        const unsigned slot = wait_free(s);

        if (slot == RING_BUFFERS) {
            break;
        }
        code = layer_unpack_read(s->unpack, s->buffers[slot], BUFFER_SIZE, &size, &error);
        if (code == 0 && size > 0) {
            (void)pthread_mutex_lock(&s->lock);
            s->sizes[slot] = size;
            s->full++;
            (void)pthread_cond_signal(&s->filled);
            (void)pthread_mutex_unlock(&s->lock);
        }
    }
    (void)pthread_mutex_lock(&s->lock);
    s->ended = true;
    s->code = code;
    s->error = error;
    (void)pthread_cond_signal(&s->filled);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct layer_stream *layer_stream_free(struct layer_stream *s)
{
    if (s == NULL) {
        return NULL;
    }
    if (s->started) {
        (void)pthread_mutex_lock(&s->lock);
        s->stop = true;
        (void)pthread_cond_signal(&s->freed);
        (void)pthread_mutex_unlock(&s->lock);
        (void)pthread_join(s->thread, NULL);
    }
    (void)pthread_cond_destroy(&s->filled);
    (void)pthread_cond_destroy(&s->freed);
    (void)pthread_mutex_destroy(&s->lock);
    s->unpack = layer_unpack_free(s->unpack);
    s->error = error_free(s->error);
    free(s);
    return NULL;
}

int layer_stream_open(const struct img_layer *layer, struct img_budget *budget,
                      const struct img_progress *progress, bool check_diff_id,
                      struct layer_stream **ret, struct error **err)
{
    _cleanup_layer_stream_ struct layer_stream *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", layer->name);
    }
    s->layer = layer;
    s->want_diff_id = layer->has_diff_id && (check_diff_id || !layer->has_digest);
    sha256_init(&s->diff_id);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->filled, NULL);
    (void)pthread_cond_init(&s->freed, NULL);
    r = layer_unpack_open(layer, budget, progress, &s->unpack, err);
    if (r < 0) {
        return r;
    }
    r = pthread_create(&s->thread, NULL, produce, s);
    if (r != 0) {
        return error_set_errno(err, r, "starting a thread to read %s", layer->name);
    }
    s->started = true;
    *ret = TAKE_PTR(s);
    return 0;
}

int layer_stream_read(struct layer_stream *s, const uint8_t **ret, size_t *ret_size,
                      struct error **err)
{
    int r = 0;

    (void)pthread_mutex_lock(&s->lock);
    if (s->held) {
        s->held = false;
        s->first = (s->first + 1) % RING_BUFFERS;
        s->full--;
        (void)pthread_cond_signal(&s->freed);
    }
    while (s->full == 0 && !s->ended) {
        (void)pthread_cond_wait(&s->filled, &s->lock);
    }
    *ret = s->buffers[s->first];
    *ret_size = 0;
    if (s->full > 0) {
        s->held = true;
        *ret_size = s->sizes[s->first];
    } else if (s->code < 0) {
        r = s->code;
        if (err != NULL && s->error != NULL) {
            *err = error_free(*err);
            *err = TAKE_PTR(s->error);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (s->want_diff_id) {
        sha256_update(&s->diff_id, *ret, *ret_size);
    }
    return r;
}

static int compare(const struct layer_stream *s, const uint8_t *got, const uint8_t *want,
                   const char *what, struct error **err)
{
    char got_hex[2 * SHA256_SIZE + 1];
    char want_hex[2 * SHA256_SIZE + 1];

    if (ct_equal(got, want, SHA256_SIZE)) {
        return 0;
    }
    hex_encode(got_hex, got, SHA256_SIZE);
    hex_encode(want_hex, want, SHA256_SIZE);
    return error_set(err, EBADMSG, "%s: %s is sha256:%s, but sha256:%s was promised",
                     s->layer->name, what, got_hex, want_hex);
}

int layer_stream_finish(struct layer_stream *s, struct error **err)
{
    uint8_t digest[SHA256_SIZE];
    const uint8_t *p;
    size_t size;
    int r;

    do {
        r = layer_stream_read(s, &p, &size, err);
    } while (r == 0 && size > 0);
    if (r == 0 && s->layer->has_digest) {
        layer_unpack_digest(s->unpack, digest);
        r = compare(s, digest, s->layer->digest, "the blob", err);
    }
    if (r == 0 && s->want_diff_id) {
        sha256_final(&s->diff_id, digest);
        r = compare(s, digest, s->layer->diff_id, "the unpacked layer", err);
    }
    return r;
}
