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
#include "image/slot_ring.h"

/*
 * Three threads: one reads the blob and digests it (blob_reader.h), one decompresses, the caller
 * digests the tar and uses it. A ring of buffers lies between the last two.
 */

#define RING_BUFFERS 4u
#define BUFFER_SIZE  (512u * 1024)

struct layer_stream {
    const struct img_layer *layer;
    struct layer_unpack *unpack; /* the producer's until it ended */
    bool want_diff_id;
    struct sha256 diff_id;

    struct layer_keep *keep;   /* first reading: where to keep what comes out; else NULL */
    struct layer_keep *source; /* second reading: where it was kept; else NULL */
    struct kept_layer *kept;   /* the layer's part of it */
    size_t replayed;           /* second reading: pieces of `kept` given */
    size_t replay_count;

    pthread_t thread;
    bool started;
    struct slot_ring ring;
    unsigned held;      /* slot the caller works on; RING_BUFFERS: none */
    bool keeping;       /* atomic: the producer keeps what it makes */
    size_t kept_pushed; /* kept pieces that went into the ring: final when `keeping` ended */
    size_t kept_popped; /* and that the caller is done with */
    bool dropped;       /* nothing is kept any more */
    size_t sizes[RING_BUFFERS];
    uint8_t *data[RING_BUFFERS]; /* in `buffers`, or kept */
    uint8_t buffers[RING_BUFFERS][BUFFER_SIZE];
};

static void stop_keeping(struct layer_stream *s, bool complete)
{
    s->kept->complete = complete;
    __atomic_store_n(&s->keeping, false, __ATOMIC_RELEASE);
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

static void *produce(void *arg)
{
    struct layer_stream *s = arg;
    struct error *error = NULL;
    size_t size = 1;
    unsigned slot;
    int code = 0;

    while (code == 0 && slot_ring_wait_free(&s->ring, &slot)) {
        size_t cap;

        s->data[slot] = choose_buffer(s, slot, &cap);
        code = layer_unpack_read(s->unpack, s->data[slot], cap, &size, &error);
        if (s->keep != NULL) {
            layer_keep_unpacker(s->keep, layer_unpack_memory(s->unpack));
        }
        if (code < 0 || size == 0) {
            break;
        }
        s->sizes[slot] = size;
        if (s->keeping) {
            s->kept_pushed++;
            if (layer_keep_add(s->keep, s->kept, size) < 0) {
                stop_keeping(s, /*complete=*/false);
            }
        }
        slot_ring_push(&s->ring);
    }
    if (s->keeping) {
        stop_keeping(s, /*complete=*/code == 0 && size == 0);
    }
    slot_ring_end(&s->ring, code, error);
    return NULL;
}

struct layer_stream *layer_stream_free(struct layer_stream *s)
{
    if (s == NULL) {
        return NULL;
    }
    if (s->started) {
        slot_ring_stop(&s->ring, 0, NULL);
        (void)pthread_join(s->thread, NULL);
    }
    slot_ring_done(&s->ring);
    s->unpack = layer_unpack_free(s->unpack);
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
    s->held = RING_BUFFERS;
    slot_ring_init(&s->ring, RING_BUFFERS);
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
    s->source = keep;
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

/* What is kept has to go; it does once neither thread has any of it in hand. */
static void drop_when_due(struct layer_stream *s)
{
    if (s->keep != NULL && !s->dropped && layer_keep_over(s->keep) &&
        !__atomic_load_n(&s->keeping, __ATOMIC_ACQUIRE) && s->kept_pushed == s->kept_popped) {
        layer_keep_drop(s->keep);
        s->dropped = true;
    }
}

int layer_stream_tree(struct layer_stream *s, uint64_t bytes, struct error **err)
{
    return s->keep == NULL ? 0 : layer_keep_tree(s->keep, bytes, err);
}

/* The next piece of what was kept, or of what comes through the ring; *ret_size 0: the end. */
static int next_piece(struct layer_stream *s, const uint8_t **ret, size_t *ret_size,
                      struct error **err)
{
    *ret = s->buffers[0];
    *ret_size = 0;
    if (s->replayed < s->replay_count) {
        *ret = s->kept->pieces[s->replayed].data;
        *ret_size = s->kept->pieces[s->replayed++].size;
        layer_keep_release(s->source, *ret);
        return 0;
    }
    if (!s->started) {
        return 0;
    }
    if (s->held < RING_BUFFERS) {
        s->kept_popped += s->data[s->held] != s->buffers[s->held] ? 1 : 0;
        slot_ring_pop(&s->ring);
        s->held = RING_BUFFERS;
    }
    if (!slot_ring_wait_full(&s->ring, &s->held)) {
        s->held = RING_BUFFERS;
        drop_when_due(s);
        return slot_ring_outcome(&s->ring, err);
    }
    drop_when_due(s);
    *ret = s->data[s->held];
    *ret_size = s->sizes[s->held];
    return 0;
}

int layer_stream_read(struct layer_stream *s, const uint8_t **ret, size_t *ret_size,
                      struct error **err)
{
    const int r = next_piece(s, ret, ret_size, err);

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
