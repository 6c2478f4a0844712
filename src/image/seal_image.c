/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/seal_image.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "core/ct.h"
#include "image/erofs_write.h"
#include "image/layer_keep.h"
#include "image/seal_write.h"

/* What shapes the plaintext besides the source image. Enters the sealing key. */
#define CONVERSION_PARAMS "erofs=1;compress=none"

static int flatten(const struct img_source *source, struct layer_keep *keep, uint64_t unpacked_max,
                   const struct img_progress *progress, struct img_tree *t,
                   struct img_flatten_stats *stats, struct error **err)
{
    struct img_budget budget = img_budget_make(unpacked_max);

    for (size_t i = 0; i < source->layer_count; i++) {
        int r = img_flatten_layer(t, &source->layers[i], (uint16_t)(i + 1), keep, &budget, progress,
                                  stats, err);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int img_flatten(const struct img_source *source, uint64_t unpacked_max,
                const struct img_progress *progress, struct img_tree *t,
                struct img_flatten_stats *stats, struct error **err)
{
    return flatten(source, NULL, unpacked_max, progress, t, stats, err);
}

static int read_stream(void *ctx, const uint8_t **ret, size_t *ret_size, struct error **err)
{
    return layer_stream_read(ctx, ret, ret_size, err);
}

static int copy_file(struct tar_reader *tar, struct erofs_writer *w, struct error **err)
{
    const uint8_t *p;
    uint64_t n;
    int r;

    while ((r = tar_data(tar, &p, &n, err)) > 0) {
        r = erofs_writer_data(w, p, n, err);
        if (r < 0) {
            return r;
        }
    }
    return r < 0 ? r : erofs_writer_file_done(w, err);
}

/* Reads a layer again and passes on the files that made it into the tree. */
static int copy_layer(const struct img_layer *layer, uint16_t number, struct layer_keep *keep,
                      struct img_budget *budget, const struct img_progress *progress,
                      struct erofs_writer *w, struct error **err)
{
    _cleanup_layer_stream_ struct layer_stream *s = NULL;
    _cleanup_tar_reader_ struct tar_reader *tar = NULL;
    struct tar_entry *e;
    uint32_t wanted_source;
    uint16_t wanted_layer;
    uint32_t source = 0;
    int r;

    if (!erofs_writer_wants(w, &wanted_layer, &wanted_source) || wanted_layer != number) {
        if (progress->report != NULL) {
            progress->report(progress->ctx, layer->region.size);
        }
        return 0; /* later layers replaced all of it */
    }
    r = layer_stream_open_second(layer, number, keep, budget, progress, &s, err);
    if (r == 0) {
        r = tar_reader_new(read_stream, s, &tar, err);
    }
    while (r == 0 && (r = tar_next(tar, &e, err)) > 0) {
        r = 0;
        if (erofs_writer_wants(w, &wanted_layer, &wanted_source) && wanted_layer == number &&
            wanted_source == source) {
            r = copy_file(tar, w, err);
        }
        source++;
    }
    if (r == 0) {
        r = layer_stream_finish(s, err);
    }
    if (r < 0) {
        (void)error_wrap(err, "%s", layer->name);
    }
    return r;
}

static int copy_data(const struct img_source *source, const struct img_seal_options *o,
                     struct layer_keep *keep, struct erofs_writer *w, struct error **err)
{
    struct img_budget budget = img_budget_make(o->unpacked_max);

    for (size_t i = 0; i < source->layer_count; i++) {
        int r =
            copy_layer(&source->layers[i], (uint16_t)(i + 1), keep, &budget, &o->progress, w, err);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int random_bytes(void *dst, size_t size, struct error **err)
{
    if (getrandom(dst, size, 0) != (ssize_t)size) {
        return error_set_errno(err, errno, "reading random bytes");
    }
    return 0;
}

static int make_key(const struct img_source *source, const struct img_seal_options *o,
                    const struct erofs_plan *plan, struct img_seal_result *res,
                    uint8_t ret_key[static SEALED_KEY_SIZE], struct error **err)
{
    uint8_t master[SEALED_KEY_SIZE];
    const struct seal_derivation d = {
        .master = master,
        .salt = res->salt,
        .source = source->digest,
        .params = CONVERSION_PARAMS,
        .layout = plan->layout,
    };
    int r = 0;

    if (o->salt != NULL) {
        memcpy(res->salt, o->salt, sizeof(res->salt));
    } else {
        r = random_bytes(res->salt, sizeof(res->salt), err);
    }
    if (r == 0 && o->master != NULL) {
        memcpy(master, o->master, sizeof(master));
    } else if (r == 0) {
        r = random_bytes(master, sizeof(master), err);
    }
    if (r == 0) {
        seal_key_derive(&d, ret_key);
    }
    ct_wipe(master, sizeof(master));
    return r;
}

static int write_sealed(const struct img_source *source, struct layer_keep *keep, const char *path,
                        const struct img_seal_options *o, const struct erofs_plan *plan,
                        const uint8_t key[static SEALED_KEY_SIZE], struct img_seal_result *res,
                        struct error **err)
{
    _cleanup_seal_writer_ struct seal_writer *seal = NULL;
    _cleanup_erofs_writer_ struct erofs_writer *w = NULL;
    int r = (o->scratch ? seal_writer_new_scratch : seal_writer_new)(path, plan->block_count, key,
                                                                     res->salt, &seal, err);

    if (r == 0) {
        r = erofs_writer_new(plan, seal_writer_sink(seal), &w, err);
    }
    if (r == 0) {
        r = copy_data(source, o, keep, w, err);
    }
    if (r == 0) {
        r = erofs_writer_finish(w, err);
    }
    if (r == 0) {
        r = seal_writer_wait(seal, err);
    }
    if (r == 0 && o->key_ready != NULL) {
        r = o->key_ready(o->key_ctx, key, err);
    }
    if (r == 0) {
        r = seal_writer_finish(seal, res->root, err);
    }
    if (r == 0 && o->scratch) {
        res->fd = seal_writer_take_fd(seal);
    }
    return r;
}

int img_seal(const struct img_source *source, const char *path, const struct img_seal_options *o,
             struct img_seal_result *ret, struct error **err)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_erofs_plan_ struct erofs_plan plan = {0};
    _cleanup_layer_keep_ struct layer_keep *keep = NULL;
    struct img_seal_result res = {.fd = -1};
    uint8_t key[SEALED_KEY_SIZE];
    int r = img_tree_init(&t, err);

    if (r == 0) {
        r = layer_keep_new(o->keep_max, source->layer_count, &keep, err);
    }
    if (r == 0) {
        r = flatten(source, keep, o->unpacked_max, &o->progress, &t, &res.stats, err);
    }
    if (r == 0 && o->shape != NULL) {
        r = o->shape(o->shape_ctx, source, &t, err);
    }
    if (r == 0) {
        r = erofs_plan_make(&t, &plan, err);
    }
    if (r == 0) {
        r = make_key(source, o, &plan, &res, key, err);
    }
    if (r == 0) {
        r = write_sealed(source, keep, path, o, &plan, key, &res, err);
    }
    if (r == 0) {
        res.names = t.live_entries;
        res.file_bytes = plan.data_bytes;
        res.block_count = plan.block_count;
        *ret = res;
    }
    ct_wipe(key, sizeof(key));
    return r;
}
