/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/layer_unpack.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/alloc.h"
#include "image/blob_reader.h"
#include "image/holes.h"

/* zstd frames may ask for any window; this bounds the memory (27 is what `zstd --long` makes). */
#define ZSTD_WINDOW_LOG_MAX 27

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD };

struct layer_unpack {
    const struct img_layer *layer;
    struct img_budget *budget;
    uint64_t at; /* bytes of the region taken */
    uint64_t produced;
    struct blob_reader *blob;
    enum packing packing;
    bool ended;
    bool in_frame; /* a compressed member has begun and not ended */
    size_t in_at;
    size_t in_size;
    struct inflate_state *gzip;
    ZSTD_DCtx *zstd;
    const uint8_t *in; /* the last piece of the blob */
};

struct layer_unpack *layer_unpack_free(struct layer_unpack *s)
{
    if (s != NULL) {
        free(s->gzip);
        (void)ZSTD_freeDCtx(s->zstd);
        (void)blob_reader_free(s->blob);
        free(s);
    }
    return NULL;
}

/* Refills the input buffer when it is empty. */
static int fill(struct layer_unpack *s, struct error **err)
{
    int r;

    if (s->in_at < s->in_size) {
        return 0;
    }
    r = blob_reader_next(s->blob, &s->in, &s->in_size, err);
    if (r < 0) {
        s->in_size = 0;
    }
    s->in_at = 0;
    s->at += s->in_size;
    return r;
}

/* The content decides, not the media type: engines have written wrong ones. */
static int detect(struct layer_unpack *s, struct error **err)
{
    const uint8_t *p;
    int r = fill(s, err);

    if (r < 0) {
        return r;
    }
    p = s->in;
    if (s->in_size >= 2 && p[0] == 0x1f && p[1] == 0x8b) {
        s->packing = PACKING_GZIP;
        s->gzip = malloc(sizeof(*s->gzip));
        if (s->gzip == NULL) {
            return error_set_errno(err, ENOMEM, "reading %s", s->layer->name);
        }
        isal_inflate_init(s->gzip);
        s->gzip->crc_flag = ISAL_GZIP;
        return 0;
    }
    /* A zstd frame, or a skippable one as zstd:chunked layers may begin with. */
    if (s->in_size >= 4 &&
        ((p[0] == 0x28 && p[1] == 0xb5 && p[2] == 0x2f && p[3] == 0xfd) ||
         ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18))) {
        s->packing = PACKING_ZSTD;
        s->zstd = ZSTD_createDCtx();
        if (s->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax,
                                                                   ZSTD_WINDOW_LOG_MAX))) {
            return error_set_errno(err, ENOMEM, "reading %s", s->layer->name);
        }
    }
    return 0;
}

int layer_unpack_open(const struct img_layer *layer, struct img_budget *budget,
                      const struct img_progress *progress, struct layer_unpack **ret,
                      struct error **err)
{
    _cleanup_layer_unpack_ struct layer_unpack *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", layer->name);
    }
    s->layer = layer;
    s->budget = budget;
    r = blob_reader_open(layer, 0, NULL, progress, &s->blob, err);
    if (r == 0) {
        r = detect(s, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = TAKE_PTR(s);
    return 0;
}

/* ---- going on later ---- */

struct layer_rest {
    uint64_t at;
    uint64_t produced;
    enum packing packing;
    bool ended;
    bool in_frame;
    struct sha256 digest;
    struct inflate_state *gzip;
    size_t in_size;
    uint8_t in[]; /* read, and digested, but not unpacked yet */
};

struct layer_rest *layer_rest_free(struct layer_rest *rest)
{
    if (rest != NULL) {
        free(rest->gzip);
        free(rest);
    }
    return NULL;
}

/* isa-l's state holds its window and all tables itself; its pointers are set before every call. */
static struct inflate_state *copy_gzip(const struct inflate_state *from)
{
    struct inflate_state *to = malloc(sizeof(*to));

    if (to != NULL) {
        *to = *from;
    }
    return to;
}

struct layer_rest *layer_unpack_rest(struct layer_unpack *s)
{
    const size_t left = s->in_size - s->in_at;
    struct layer_rest *rest = s->packing == PACKING_ZSTD ? NULL : calloc(1, sizeof(*rest) + left);

    if (rest == NULL) {
        return NULL;
    }
    rest->at = s->at;
    rest->produced = s->produced;
    rest->packing = s->packing;
    rest->ended = s->ended;
    rest->in_frame = s->in_frame;
    rest->in_size = left;
    memcpy(rest->in, s->in + s->in_at, left);
    blob_reader_digest(s->blob, &rest->digest);
    if (s->gzip != NULL) {
        rest->gzip = copy_gzip(s->gzip);
        if (rest->gzip == NULL) {
            return layer_rest_free(rest);
        }
    }
    return rest;
}

int layer_unpack_resume(const struct img_layer *layer, const struct layer_rest *rest,
                        struct img_budget *budget, const struct img_progress *progress,
                        struct layer_unpack **ret, struct error **err)
{
    _cleanup_layer_unpack_ struct layer_unpack *s = calloc(1, sizeof(*s));
    int r;

    if (s == NULL) {
        return error_set_errno(err, ENOMEM, "reading %s", layer->name);
    }
    *s = (struct layer_unpack){
        .layer = layer,
        .budget = budget,
        .at = rest->at,
        .produced = rest->produced,
        .packing = rest->packing,
        .ended = rest->ended,
        .in_frame = rest->in_frame,
        .in = rest->in,
        .in_size = rest->in_size,
    };
    r = blob_reader_open(layer, rest->at, &rest->digest, progress, &s->blob, err);
    if (r < 0) {
        return r;
    }
    if (rest->gzip != NULL) {
        s->gzip = copy_gzip(rest->gzip);
        if (s->gzip == NULL) {
            return error_set_errno(err, ENOMEM, "reading %s", layer->name);
        }
    }
    if (progress->report != NULL) {
        progress->report(progress->ctx, rest->at);
    }
    *ret = TAKE_PTR(s);
    return 0;
}

static int damaged(const struct layer_unpack *s, const char *why, struct error **err)
{
    return error_set(err, EBADMSG, "%s is damaged: %s near its byte %llu", s->layer->name, why,
                     (unsigned long long)(s->at - (s->in_size - s->in_at)));
}

/* Between two gzip members: padding zeros end the data, anything else starts a member. */
static int next_member(struct layer_unpack *s, struct error **err)
{
    int r = fill(s, err);

    if (r < 0 || s->in_at == s->in_size) {
        s->ended = r == 0;
        return r;
    }
    if (s->in[s->in_at] == 0) {
        while (s->in_at < s->in_size) {
            if (!img_is_zero(s->in + s->in_at, s->in_size - s->in_at)) {
                return damaged(s, "there is data behind the gzip stream", err);
            }
            s->in_at = s->in_size;
            r = fill(s, err);
            if (r < 0) {
                return r;
            }
        }
        s->ended = true;
        return 0;
    }
    isal_inflate_reset(s->gzip);
    s->gzip->crc_flag = ISAL_GZIP;
    s->in_frame = true;
    return 0;
}

static int read_gzip(struct layer_unpack *s, uint8_t *dst, size_t cap, size_t *ret_size,
                     struct error **err)
{
    struct inflate_state *z = s->gzip;
    size_t got = 0;

    while (got == 0 && !s->ended) {
        int r = s->in_frame ? fill(s, err) : next_member(s, err);

        if (r < 0) {
            return r;
        }
        if (s->ended) {
            break;
        }
        z->next_in = (uint8_t *)(uintptr_t)(s->in + s->in_at); /* isa-l only reads it */
        z->avail_in = (uint32_t)(s->in_size - s->in_at);
        z->next_out = dst;
        z->avail_out = (uint32_t)cap;
        r = isal_inflate(z);
        if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT) {
            return damaged(
                s, r == ISAL_INCORRECT_CHECKSUM ? "wrong gzip checksum" : "bad gzip data", err);
        }
        got = cap - z->avail_out;
        if (s->in_size - s->in_at == z->avail_in && got == 0 &&
            z->block_state != ISAL_BLOCK_FINISH) {
            return damaged(s, "the gzip stream is cut off", err);
        }
        s->in_at = s->in_size - z->avail_in;
        if (z->block_state == ISAL_BLOCK_FINISH) {
            s->in_frame = false;
        }
    }
    *ret_size = got;
    return 0;
}

static int read_zstd(struct layer_unpack *s, uint8_t *dst, size_t cap, size_t *ret_size,
                     struct error **err)
{
    ZSTD_outBuffer out = {.dst = dst, .size = cap};

    while (out.pos == 0) {
        ZSTD_inBuffer in;
        size_t left;
        int r = fill(s, err);

        if (r < 0) {
            return r;
        }
        in = (ZSTD_inBuffer){.src = s->in + s->in_at, .size = s->in_size - s->in_at};
        if (in.size == 0 && !s->in_frame) {
            s->ended = true;
            break;
        }
        left = ZSTD_decompressStream(s->zstd, &out, &in);
        if (ZSTD_isError(left)) {
            return damaged(s, ZSTD_getErrorName(left), err);
        }
        if (in.size == 0 && out.pos == 0) {
            return damaged(s, "the zstd stream is cut off", err);
        }
        s->in_at += in.pos;
        s->in_frame = left != 0;
    }
    *ret_size = out.pos;
    return 0;
}

static int account(struct layer_unpack *s, size_t size, struct error **err)
{
    s->produced += size;
    if (size > s->budget->left) {
        return error_set(err, EFBIG, "%s: the image unpacks to more than the size allowed",
                         s->layer->name);
    }
    s->budget->left -= size;
    if (s->produced > s->budget->ratio_free && s->produced / IMG_RATIO_MAX > s->at) {
        return error_set(err, EFBIG,
                         "%s unpacks to more than %u times its size: refused as a bomb "
                         "(--max-size BYTES accepts it up to that size)",
                         s->layer->name, IMG_RATIO_MAX);
    }
    return 0;
}

static int read_plain(struct layer_unpack *s, uint8_t *dst, size_t cap, size_t *ret_size,
                      struct error **err)
{
    int r = fill(s, err);

    if (r < 0) {
        return r;
    }
    *ret_size = MIN(cap, s->in_size - s->in_at);
    memcpy(dst, s->in + s->in_at, *ret_size);
    s->in_at += *ret_size;
    return 0;
}

int layer_unpack_read(struct layer_unpack *s, uint8_t *dst, size_t cap, size_t *ret_size,
                      struct error **err)
{
    size_t size = 0;
    int r = 0;

    if (!s->ended) {
        switch (s->packing) {
        case PACKING_NONE:
            r = read_plain(s, dst, cap, &size, err);
            s->ended = size == 0;
            break;
        case PACKING_GZIP: r = read_gzip(s, dst, cap, &size, err); break;
        case PACKING_ZSTD: r = read_zstd(s, dst, cap, &size, err); break;
        }
    }
    if (r == 0) {
        r = account(s, size, err);
    }
    if (r < 0) {
        return r;
    }
    *ret_size = size;
    return 0;
}

uint64_t layer_unpack_memory(const struct layer_unpack *s)
{
    return s->zstd == NULL ? 0 : ZSTD_sizeof_DCtx(s->zstd);
}

void layer_unpack_digest(struct layer_unpack *s, uint8_t ret[static SHA256_SIZE])
{
    struct sha256 digest;

    blob_reader_digest(s->blob, &digest);
    sha256_final(&digest, ret);
}
