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
#include "image/layer_keep.h"
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

    struct layer_keep *keep; /* first reading: where to keep what comes out; else NULL */
    struct kept_layer *kept; /* the layer's part of it */
    size_t replayed;         /* second reading: pieces of `kept` given */
    size_t replay_count;

    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t freed;
    size_t sizes[RING_BUFFERS];
    uint8_t *data[RING_BUFFERS]; /* in `buffers`, or kept */
    bool keeping;                /* the producer keeps what it makes */
    unsigned kept_full;          /* full buffers that are kept ones */
    unsigned first;              /* oldest full buffer */
    unsigned full;               /* full buffers, the one the caller holds included */
    bool held;                   /* the caller works on buffers[first] */
    bool ended;                  /* the producer adds no more */
    bool stop;                   /* the caller wants no more */
    bool drop;                   /* what is kept has to go (the caller's) */
    int code;                    /* the producer's failure */
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

static void stop_keeping(struct layer_stream *s, bool complete)
{
    s->kept->complete = complete;
    (void)pthread_mutex_lock(&s->lock);
    s->keeping = false;
    (void)pthread_mutex_unlock(&s->lock);
}

/* Where the next bytes go: to what is kept, or where there is no more room into the ring. */
static uint8_t *choose_buffer(struct layer_stream *s, unsigned slot, size_t *ret_cap)
{
    if (s->keeping) {
        uint8_t *p = layer_keep_room(s->keep, ret_cap);

        if (p != NULL) {
            *ret_cap = MIN(*ret_cap, (size_t)BUFFER_SIZE);
            return p;
        }
        s->kept->rest = s->kept->count > 0 ? layer_unpack_rest(s->unpack) : NULL;
        stop_keeping(s, s->kept->rest != NULL);
    }
    *ret_cap = BUFFER_SIZE;
    return s->buffers[slot];
}

static void push(struct layer_stream *s, unsigned slot, uint8_t *data, size_t size)
{
    const bool kept = data != s->buffers[slot];

    (void)pthread_mutex_lock(&s->lock);
    s->data[slot] = data;
    s->sizes[slot] = size;
    s->full++;
    s->kept_full += kept ? 1 : 0;
    (void)pthread_cond_signal(&s->filled);
    (void)pthread_mutex_unlock(&s->lock);
}

static void *produce(void *arg)
{
    struct layer_stream *s = arg;
    struct error *error = NULL;
    size_t size = 1;
    int code = 0;

    while (code == 0 && size > 0) {
        const unsigned slot = wait_free(s);
        uint8_t *data;
        size_t cap;

        if (slot == RING_BUFFERS) {
            break;
        }
        data = choose_buffer(s, slot, &cap);
        code = layer_unpack_read(s->unpack, data, cap, &size, &error);
        if (code == 0 && s->keeping) {
            if (size == 0) {
                stop_keeping(s, /*complete=*/true);
            } else if (layer_keep_add(s->keep, s->kept, size) < 0) {
                stop_keeping(s, /*complete=*/false);
            }
        }
        if (code == 0 && size > 0) {
            push(s, slot, data, size);
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

static int stream_new(const struct img_layer *layer, bool check_diff_id, struct layer_stream **ret,
                      struct error **err)
{
    struct layer_stream *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", layer->name);
    }
    s->layer = layer;
    s->want_diff_id = layer->has_diff_id && (check_diff_id || !layer->has_digest);
    sha256_init(&s->diff_id);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->filled, NULL);
    (void)pthread_cond_init(&s->freed, NULL);
    *ret = s;
    return 0;
}

static int start(struct layer_stream *s, struct error **err)
{
    int r = pthread_create(&s->thread, NULL, produce, s);

    if (r != 0) {
        return error_set_errno(err, r, "starting a thread to read %s", s->layer->name);
    }
    s->started = true;
    return 0;
}

static int open_whole(const struct img_layer *layer, struct layer_keep *keep,
                      struct kept_layer *kept, struct img_budget *budget,
                      const struct img_progress *progress, bool check_diff_id,
                      struct layer_stream **ret, struct error **err)
{
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    int r = stream_new(layer, check_diff_id, &s, err);

    if (r == 0) {
        s->keep = keep;
        s->kept = kept;
        s->keeping = keep != NULL;
        r = layer_unpack_open(layer, budget, progress, &s->unpack, err);
    }
    if (r == 0) {
        r = start(s, err);
    }
    if (r == 0) {
        *ret = TAKE_PTR(s);
    }
    return r;
}

int layer_stream_open(const struct img_layer *layer, struct img_budget *budget,
                      const struct img_progress *progress, bool check_diff_id,
                      struct layer_stream **ret, struct error **err)
{
    return open_whole(layer, NULL, NULL, budget, progress, check_diff_id, ret, err);
}

int layer_stream_open_first(const struct img_layer *layer, uint16_t number, struct layer_keep *keep,
                            struct img_budget *budget, const struct img_progress *progress,
                            struct layer_stream **ret, struct error **err)
{
    return open_whole(layer, keep, keep == NULL ? NULL : layer_keep_layer(keep, number), budget,
                      progress, /*check_diff_id=*/true, ret, err);
}

int layer_stream_open_second(const struct img_layer *layer, uint16_t number,
                             struct layer_keep *keep, struct img_budget *budget,
                             const struct img_progress *progress, struct layer_stream **ret,
                             struct error **err)
{
    struct kept_layer *kept = layer_keep_layer(keep, number);
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    int r;

    if (!kept->checked || !kept->complete) {
        return open_whole(layer, NULL, NULL, budget, progress, /*check_diff_id=*/false, ret, err);
    }
    r = stream_new(layer, /*check_diff_id=*/false, &s, err);
    if (r < 0) {
        return r;
    }
    s->kept = kept;
    s->replay_count = kept->count;
    if (kept->rest != NULL) {
        r = layer_unpack_resume(layer, kept->rest, budget, progress, &s->unpack, err);
        if (r == 0) {
            r = start(s, err);
        }
    } else if (progress->report != NULL) {
        progress->report(progress->ctx, layer->region.size);
    }
    if (r == 0) {
        *ret = TAKE_PTR(s);
    }
    return r;
}

/* What is kept has to go; it does once neither thread has any of it in hand. Lock held. */
static void drop_when_due(struct layer_stream *s)
{
    if (s->drop && !s->keeping && s->kept_full == 0) {
        layer_keep_drop(s->keep);
        s->drop = false;
        s->keep = NULL;
    }
}

void layer_stream_charge(struct layer_stream *s, uint64_t tree_bytes)
{
    if (s->keep != NULL && layer_keep_charge(s->keep, tree_bytes)) {
        s->drop = true;
    }
}

int layer_stream_read(struct layer_stream *s, const uint8_t **ret, size_t *ret_size,
                      struct error **err)
{
    int r = 0;

    if (s->replayed < s->replay_count) {
        *ret = s->kept->pieces[s->replayed].data;
        *ret_size = s->kept->pieces[s->replayed++].size;
        if (s->want_diff_id) {
            sha256_update(&s->diff_id, *ret, *ret_size);
        }
        return 0;
    }
    (void)pthread_mutex_lock(&s->lock);
    if (s->held) {
        s->held = false;
        s->kept_full -= s->data[s->first] != s->buffers[s->first] ? 1 : 0;
        s->first = (s->first + 1) % RING_BUFFERS;
        s->full--;
        (void)pthread_cond_signal(&s->freed);
    }
    drop_when_due(s);
    while (s->full == 0 && !s->ended && s->started) {
        (void)pthread_cond_wait(&s->filled, &s->lock);
    }
    *ret = s->buffers[s->first];
    *ret_size = 0;
    if (s->full > 0) {
        s->held = true;
        *ret = s->data[s->first];
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
    if (r == 0 && s->layer->has_digest && s->unpack != NULL) { /* else: all of it was kept */
        layer_unpack_digest(s->unpack, digest);
        r = compare(s, digest, s->layer->digest, "the blob", err);
    }
    if (r == 0 && s->want_diff_id) {
        sha256_final(&s->diff_id, digest);
        r = compare(s, digest, s->layer->diff_id, "the unpacked layer", err);
    }
    if (r == 0 && s->keep != NULL) {
        s->kept->checked = true;
    }
    return r;
}
