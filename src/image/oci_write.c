/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "image/oci_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/ct.h"
#include "core/hex.h"
#include "image/layer_write.h"
#include "image/leftovers.h"
#include "image/out_file.h"

#define HEX_SIZE (2 * SHA256_SIZE + 1)

/* All layers, the base's first. */
struct layers {
    struct layer_written *v;
    size_t count;
};

static void layers_done(struct layers *l)
{
    free(l->v);
}
#define _cleanup_layers_ _cleanup_(layers_done)

static int layers_alloc(struct layers *l, const struct img_out_image *im, struct error **err)
{
    l->count = im->base_count + 1;
    l->v = calloc(l->count, sizeof(*l->v));
    return l->v == NULL ? error_set_errno(err, ENOMEM, "writing %s", im->path) : 0;
}

/* Sorted keys and no spaces: one text for one value. */
static int dump(json_t *j, char **ret, struct error **err)
{
    char *text = j == NULL ? NULL : json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);

    json_decref(j);
    if (text == NULL) {
        return error_set_errno(err, ENOMEM, "writing the image's JSON");
    }
    *ret = text;
    return 0;
}

static int make_config(const struct img_out_image *im, const struct layers *layers, char **ret,
                       struct error **err)
{
    const time_t when = (time_t)im->time;
    json_t *ids = json_array();
    char created[40];
    struct tm tm;

    for (size_t i = 0; ids != NULL && i < layers->count; i++) {
        char diff_id[8 + HEX_SIZE] = "sha256:";

        hex_encode(diff_id + 7, layers->v[i].diff_id, SHA256_SIZE);
        if (json_array_append_new(ids, json_string(diff_id)) < 0) {
            json_decref(ids);
            return error_set_errno(err, ENOMEM, "writing the image's JSON");
        }
    }
    if (gmtime_r(&when, &tm) == NULL ||
        strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        json_decref(ids);
        return error_set(err, EINVAL, "the image's time is out of range");
    }
    return dump(json_pack("{s:s,s:s,s:s,s:O,s:{s:s,s:o}}", "architecture", "amd64", "os", "linux",
                          "created", created, "config", im->config, "rootfs", "type", "layers",
                          "diff_ids", ids),
                ret, err);
}

static json_t *descriptor(const char *type, const uint8_t *digest, uint64_t size)
{
    char text[8 + HEX_SIZE] = "sha256:";

    hex_encode(text + 7, digest, SHA256_SIZE);
    return json_pack("{s:s,s:s,s:I}", "mediaType", type, "digest", text, "size", (json_int_t)size);
}

static int make_manifest(const struct layers *layers, const char *config,
                         const uint8_t *config_digest, char **ret, struct error **err)
{
    json_t *list = json_array();

    for (size_t i = 0; list != NULL && i < layers->count; i++) {
        const struct layer_written *l = &layers->v[i];

        if (json_array_append_new(list, descriptor(l->media_type, l->digest, l->size)) < 0) {
            json_decref(list);
            return error_set_errno(err, ENOMEM, "writing the image's JSON");
        }
    }
    return dump(json_pack("{s:i,s:s,s:o,s:o}", "schemaVersion", 2, "mediaType",
                          "application/vnd.oci.image.manifest.v1+json", "config",
                          descriptor("application/vnd.oci.image.config.v1+json", config_digest,
                                     strlen(config)),
                          "layers", list),
                ret, err);
}

static int make_index(const struct img_out_image *im, const char *manifest,
                      const uint8_t *manifest_digest, char **ret, struct error **err)
{
    json_t *d =
        descriptor("application/vnd.oci.image.manifest.v1+json", manifest_digest, strlen(manifest));

    if (d == NULL || (im->tag != NULL &&
                      json_object_set_new(
                          d, "annotations",
                          json_pack("{s:s}", "org.opencontainers.image.ref.name", im->tag)) < 0)) {
        json_decref(d);
        return error_set_errno(err, ENOMEM, "writing index.json");
    }
    return dump(json_pack("{s:i,s:s,s:[o]}", "schemaVersion", 2, "mediaType",
                          "application/vnd.oci.image.index.v1+json", "manifests", d),
                ret, err);
}

/* The name of a layer in an archive: its digest, so that equal layers meet. */
static void layer_member(const struct img_out_image *im, const struct layer_written *l, char *dst,
                         size_t size)
{
    char hex[HEX_SIZE];

    hex_encode(hex, l->digest, SHA256_SIZE);
    if (im->kind == IMG_OUT_DOCKER_ARCHIVE) {
        (void)snprintf(dst, size, "%s.tar", hex);
    } else {
        (void)snprintf(dst, size, "blobs/sha256/%s", hex);
    }
}

static int make_docker_manifest(const struct img_out_image *im, const char *config_name,
                                const struct layers *layers, char **ret, struct error **err)
{
    json_t *tags = json_array();
    json_t *names = json_array();
    bool ok = tags != NULL && names != NULL;

    for (size_t i = 0; ok && i < layers->count; i++) {
        char name[HEX_SIZE + 16];

        layer_member(im, &layers->v[i], name, sizeof(name));
        ok = json_array_append_new(names, json_string(name)) == 0;
    }
    if (!ok || (im->tag != NULL && json_array_append_new(tags, json_string(im->tag)) < 0)) {
        json_decref(tags);
        json_decref(names);
        return error_set_errno(err, ENOMEM, "writing manifest.json");
    }
    return dump(
        json_pack("[{s:s,s:o,s:o}]", "Config", config_name, "RepoTags", tags, "Layers", names), ret,
        err);
}

/* Everything but the layer, ready to be stored. */
struct documents {
    char *config;
    char *manifest;
    char *index;
};

static void documents_done(struct documents *d)
{
    free(d->config);
    free(d->manifest);
    free(d->index);
}

static int make_documents(const struct img_out_image *im, const struct layers *layers,
                          struct documents *d, struct img_out_digests *res, struct error **err)
{
    const struct layer_written *layer = &layers->v[layers->count - 1];
    int r = make_config(im, layers, &d->config, err);

    if (r < 0) {
        return r;
    }
    sha256(d->config, strlen(d->config), res->config);
    memcpy(res->layer, layer->digest, sizeof(res->layer));
    res->layer_size = layer->size;
    if (im->kind == IMG_OUT_DOCKER_ARCHIVE) {
        return 0;
    }
    r = make_manifest(layers, d->config, res->config, &d->manifest, err);
    if (r < 0) {
        return r;
    }
    sha256(d->manifest, strlen(d->manifest), res->manifest);
    return make_index(im, d->manifest, res->manifest, &d->index, err);
}

static int store(const char *dir, const char *name, const char *text, struct error **err)
{
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", dir);
    }
    return fs_write_file_atomic(path, text, strlen(text), 0644, err);
}

static int store_blob(const char *dir, const uint8_t *digest, const char *text, struct error **err)
{
    char name[13 + HEX_SIZE] = "blobs/sha256/";

    hex_encode(name + 13, digest, SHA256_SIZE);
    return store(dir, name, text, err);
}

static int make_dirs(const char *dir, struct error **err)
{
    static const char *const names[] = {"blobs", "blobs/sha256"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/%s", dir, names[i]) < 0) {
            path = NULL;
            return error_set_errno(err, ENOMEM, "writing %s", dir);
        }
        if (mkdir(path, 0755) < 0) {
            return error_set_errno(err, errno, "cannot create %s", path);
        }
    }
    return chmod(dir, 0755) < 0 ? error_set_errno(err, errno, "cannot write %s", dir) : 0;
}

/* The blob's name is its digest, known only at the end: it is written under another name first. */
static int store_layer(const struct img_out_image *im, const char *dir, size_t index,
                       struct layer_written *layer, struct error **err)
{
    _cleanup_img_out_ struct img_out out = IMG_OUT_NONE;
    _cleanup_free_ char *from = NULL;
    _cleanup_free_ char *to = NULL;
    char hex[HEX_SIZE];
    int r;

    if (asprintf(&from, "%s/layer", dir) < 0) {
        from = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", dir);
    }
    r = img_out_open(&out, from, 0, 0644, err);
    if (r == 0) {
        r = layer_write(im, index, &out, 0, layer, err);
    }
    if (r == 0) {
        r = img_out_commit(&out, err);
    }
    if (r < 0) {
        return r;
    }
    hex_encode(hex, layer->digest, SHA256_SIZE);
    if (asprintf(&to, "%s/blobs/sha256/%s", dir, hex) < 0) {
        to = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", dir);
    }
    return rename(from, to) < 0 ? error_set_errno(err, errno, "cannot name %s", to) : 0;
}

static int fill_dir(const struct img_out_image *im, const char *dir, struct img_out_digests *res,
                    struct error **err)
{
    __attribute__((cleanup(documents_done))) struct documents d = {0};
    _cleanup_layers_ struct layers layers = {0};
    int r = make_dirs(dir, err);

    if (r == 0) {
        r = layers_alloc(&layers, im, err);
    }
    for (size_t i = 0; r == 0 && i < layers.count; i++) {
        r = store_layer(im, dir, i, &layers.v[i], err);
    }
    if (r == 0) {
        r = make_documents(im, &layers, &d, res, err);
    }
    if (r == 0) {
        r = store_blob(dir, res->config, d.config, err);
    }
    if (r == 0) {
        r = store_blob(dir, res->manifest, d.manifest, err);
    }
    if (r == 0) {
        r = store(dir, "index.json", d.index, err);
    }
    return r == 0 ? store(dir, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err) : r;
}

static int write_dir(const struct img_out_image *im, struct img_out_digests *res,
                     struct error **err)
{
    _cleanup_free_ char *tmp = NULL;
    struct stat st;
    int r;

    if (lstat(im->path, &st) == 0) {
        return error_set(err, EEXIST, "%s exists already; name a directory to be made", im->path);
    }
    if (asprintf(&tmp, "%s.XXXXXX", im->path) < 0) {
        tmp = NULL;
        return error_set_errno(err, ENOMEM, "writing %s", im->path);
    }
    if (mkdtemp(tmp) == NULL) {
        return error_set_errno(err, errno, "cannot create a directory beside %s", im->path);
    }
    img_leftover_add(tmp);
    r = fill_dir(im, tmp, res, err);
    if (r == 0 && im->ready != NULL) {
        r = im->ready(im->ready_ctx, err);
    }
    if (r == 0 && rename(tmp, im->path) < 0) {
        r = error_set_errno(err, errno, "cannot name %s", im->path);
    }
    img_leftover_drop(tmp);
    if (r < 0) {
        img_remove_all(tmp);
    }
    return r;
}

/* An archive member at *at; moves *at behind it. */
static int put_member(const struct img_out_image *im, struct img_out *out, uint64_t *at,
                      const char *name, const char *text, struct error **err)
{
    static const uint8_t zeros[TAR_HEADER_SIZE];
    const size_t size = strlen(text);
    const size_t pad = (TAR_HEADER_SIZE - size % TAR_HEADER_SIZE) % TAR_HEADER_SIZE;
    uint8_t header[TAR_HEADER_SIZE];
    int r;

    tar_make_header(header, name, 0100644, size, im->time);
    r = img_out_write(out, *at, header, sizeof(header), err);
    if (r == 0) {
        r = img_out_write(out, *at + sizeof(header), text, size, err);
    }
    if (r == 0) {
        r = img_out_write(out, *at + sizeof(header) + size, zeros, pad, err);
    }
    *at += sizeof(header) + size + pad;
    return r;
}

/* A layer stands behind a header that is filled in when size and digest are known. A layer the
 * image has twice is stored once. */
static int put_layer(const struct img_out_image *im, struct img_out *out, uint64_t *at,
                     struct layers *layers, size_t index, struct error **err)
{
    static const uint8_t zeros[TAR_HEADER_SIZE];
    struct layer_written *layer = &layers->v[index];
    uint8_t header[TAR_HEADER_SIZE];
    char name[13 + HEX_SIZE + 8];
    size_t pad;
    int r = layer_write(im, index, out, *at + TAR_HEADER_SIZE, layer, err);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; i < index; i++) {
        if (ct_equal(layers->v[i].digest, layer->digest, SHA256_SIZE)) {
            return 0; /* what comes next overwrites the second copy */
        }
    }
    layer_member(im, layer, name, sizeof(name));
    tar_make_header(header, name, 0100644, layer->size, im->time);
    pad = (size_t)(TAR_HEADER_SIZE - layer->size % TAR_HEADER_SIZE) % TAR_HEADER_SIZE;
    r = img_out_write(out, *at, header, sizeof(header), err);
    if (r == 0) {
        r = img_out_write(out, *at + TAR_HEADER_SIZE + layer->size, zeros, pad, err);
    }
    *at += TAR_HEADER_SIZE + layer->size + pad;
    return r;
}

static int put_blob(const struct img_out_image *im, struct img_out *out, uint64_t *at,
                    const uint8_t *digest, const char *text, struct error **err)
{
    char name[13 + HEX_SIZE] = "blobs/sha256/";

    hex_encode(name + 13, digest, SHA256_SIZE);
    return put_member(im, out, at, name, text, err);
}

static int put_docker(const struct img_out_image *im, struct img_out *out, uint64_t *at,
                      const struct documents *d, const struct img_out_digests *res,
                      const struct layers *layers, struct error **err)
{
    _cleanup_free_ char *manifest = NULL;
    char name[HEX_SIZE + 8];
    int r;

    hex_encode(name, res->config, SHA256_SIZE);
    memcpy(name + HEX_SIZE - 1, ".json", 6);
    r = make_docker_manifest(im, name, layers, &manifest, err);
    if (r == 0) {
        r = put_member(im, out, at, name, d->config, err);
    }
    return r == 0 ? put_member(im, out, at, "manifest.json", manifest, err) : r;
}

static int put_oci(const struct img_out_image *im, struct img_out *out, uint64_t *at,
                   const struct documents *d, const struct img_out_digests *res, struct error **err)
{
    int r = put_blob(im, out, at, res->config, d->config, err);

    if (r == 0) {
        r = put_blob(im, out, at, res->manifest, d->manifest, err);
    }
    if (r == 0) {
        r = put_member(im, out, at, "index.json", d->index, err);
    }
    return r == 0 ? put_member(im, out, at, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err)
                  : r;
}

static int write_archive(const struct img_out_image *im, struct img_out_digests *res,
                         struct error **err)
{
    __attribute__((cleanup(documents_done))) struct documents d = {0};
    _cleanup_img_out_ struct img_out out = IMG_OUT_NONE;
    static const uint8_t end[2 * TAR_HEADER_SIZE];
    _cleanup_layers_ struct layers layers = {0};
    uint64_t at = 0;
    int r = layers_alloc(&layers, im, err);

    if (r == 0) {
        r = img_out_open(&out, im->path, 0, 0644, err);
    }
    for (size_t i = 0; r == 0 && i < layers.count; i++) {
        r = put_layer(im, &out, &at, &layers, i, err);
    }
    if (r == 0) {
        r = make_documents(im, &layers, &d, res, err);
    }
    if (r == 0) {
        r = im->kind == IMG_OUT_DOCKER_ARCHIVE ? put_docker(im, &out, &at, &d, res, &layers, err)
                                               : put_oci(im, &out, &at, &d, res, err);
    }
    if (r == 0) {
        r = img_out_write(&out, at, end, sizeof(end), err);
    }
    /* A second copy of a layer may reach behind the end. */
    if (r == 0 && ftruncate(out.fd, (off_t)(at + sizeof(end))) < 0) {
        r = error_set_errno(err, errno, "cannot write %s", im->path);
    }
    if (r == 0 && im->ready != NULL) {
        r = im->ready(im->ready_ctx, err);
    }
    return r == 0 ? img_out_commit(&out, err) : r;
}

int img_write_image(const struct img_out_image *im, struct img_out_digests *ret, struct error **err)
{
    struct img_out_digests res = {0};
    int r;

    for (size_t i = 0; i < im->count; i++) {
        const size_t n = strlen(im->entries[i].path);

        if (n == 0 || n > IMG_OUT_NAME_MAX - 1 || im->entries[i].path[0] == '/') {
            return error_set(err, EINVAL, "'%.200s' cannot be a path in the image's layer",
                             im->entries[i].path);
        }
    }
    if (im->time < 0 || im->time > 077777777777ll) {
        return error_set(err, EINVAL, "the image's time lies outside 1970 to 2242");
    }
    r = im->kind == IMG_OUT_OCI_DIR ? write_dir(im, &res, err) : write_archive(im, &res, err);
    if (r == 0) {
        *ret = res;
    }
    return r;
}
