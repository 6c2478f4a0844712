/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "image/out_file.h"
#include "image/tar.h"

static int compare_places(const void *a, const void *b, void *ctx)
{
    const struct img_tree *t = ctx;
    const struct img_inode *x = &t->inodes[*(const uint32_t *)a];
    const struct img_inode *y = &t->inodes[*(const uint32_t *)b];
    const bool empty_x = x->size == 0;
    const bool empty_y = y->size == 0;

    if (empty_x != empty_y) {
        return empty_x ? -1 : 1;
    }
    if (x->layer != y->layer) {
        return x->layer < y->layer ? -1 : 1;
    }
    return x->source < y->source ? -1 : x->source > y->source;
}

static int read_stream(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    return layer_stream_read(ctx, ret, ret_size, err);
}

static int fetch_file(const struct img_fetch *f, uint32_t inode, struct tar_reader *tar,
                      struct error **err)
{
    const uint8_t *p;
    uint64_t n;
    int r = f->begin(f->ctx, inode, err);

    while (r == 0 && (r = tar_data(tar, &p, &n, err)) > 0) {
        r = f->data(f->ctx, p, n, err);
    }
    return r < 0 ? r : f->end(f->ctx, inode, err);
}

/* Files of one layer: `inodes` are those of it, in order. Gives how many there were. */
static int fetch_layer(const struct img_fetch *f, uint16_t number, const uint32_t *inodes,
                       size_t count, struct error **err)
{
    const struct img_layer *layer = &f->source->layers[number - 1];
    struct img_budget budget = img_budget_make(f->unpacked_max);
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct tar_entry *e;
    uint32_t source = 0;
    size_t at = 0;
    int r = layer_stream_open(layer, &budget, &f->progress, /*check_diff_id=*/false, &s, err);

    if (r == 0) {
        r = tar_reader_new(read_stream, s, &tar, err);
    }
    while (r == 0 && at < count && (r = tar_next(tar, &e, err)) > 0) {
        r = 0;
        if (f->tree->inodes[inodes[at]].source == source) {
            r = fetch_file(f, inodes[at++], tar, err);
        }
        source++;
    }
    if (r == 0 && at < count) {
        r = error_set(err, EBADMSG, "the layer has changed while it was read");
    }
    if (r < 0) {
        (void)error_wrap(err, "%s", layer->name);
    }
    return r;
}

int img_fetch(const struct img_fetch *f, uint32_t *inodes, size_t count, struct error **err)
{
    struct img_tree *t;
    size_t at = 0;
    int r = 0;

    memcpy(&t, &f->tree, sizeof(t)); /* qsort_r's context is not const, its use is */
    qsort_r(inodes, count, sizeof(*inodes), compare_places, t);
    while (r == 0 && at < count) {
        const struct img_inode *i = &t->inodes[inodes[at]];
        size_t end = at + 1;

        if (i->size == 0) {
            r = f->begin(f->ctx, inodes[at], err);
            r = r < 0 ? r : f->end(f->ctx, inodes[at], err);
        } else {
            while (end < count && t->inodes[inodes[end]].layer == i->layer) {
                end++;
            }
            r = fetch_layer(f, i->layer, inodes + at, end - at, err);
        }
        at = end;
    }
    return r;
}

int img_scratch(int *ret_fd, struct error **err)
{
    const char *tmp = getenv("TMPDIR");
    _cleanup_img_out_ struct img_out out = IMG_OUT_NONE;
    _cleanup_free_ char *beside = NULL;
    int r;

    if (asprintf(&beside, "%s/nacre", tmp == NULL || *tmp == '\0' ? "/tmp" : tmp) < 0) {
        beside = NULL;
        return error_set_errno(err, ENOMEM, "opening a scratch file");
    }
    r = img_out_open_scratch(&out, beside, 0, err);
    if (r == 0) {
        *ret_fd = TAKE_FD(out.fd);
    }
    return r;
}

struct one {
    int fd;
    uint64_t at;
};

static int one_begin(void *ctx, uint32_t inode, struct error **err)
{
    return 0;
}

static int one_data(void *ctx, const uint8_t *p, uint64_t size, struct error **err)
{
    struct one *o = ctx;

    for (uint64_t done = 0; p != NULL && done < size;) {
        const ssize_t n = pwrite(o->fd, p + done, (size_t)(size - done), (off_t)(o->at + done));

        if (n < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "writing a scratch file in TMPDIR");
        }
        done += n > 0 ? (uint64_t)n : 0;
    }
    o->at += size;
    return 0;
}

static int one_end(void *ctx, uint32_t inode, struct error **err)
{
    struct one *o = ctx;

    return ftruncate(o->fd, (off_t)o->at) < 0
               ? error_set_errno(err, errno, "writing a scratch file in TMPDIR")
               : 0;
}

int img_fetch_one(const struct img_source *source, const struct img_tree *tree,
                  uint64_t unpacked_max, uint32_t inode, int *ret_fd, struct error **err)
{
    _cleanup_close_ int fd = -1;
    struct one o = {0};
    const struct img_fetch f = {
        .source = source,
        .tree = tree,
        .unpacked_max = unpacked_max,
        .begin = one_begin,
        .data = one_data,
        .end = one_end,
        .ctx = &o,
    };
    int r = img_scratch(&fd, err);

    o.fd = fd;
    r = r < 0 ? r : img_fetch(&f, &inode, 1, err);
    if (r == 0) {
        *ret_fd = TAKE_FD(fd);
    }
    return r;
}
