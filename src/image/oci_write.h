/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Writes a container image: layers of another image as they are, if any, and one layer of our own
 * on top. An OCI layout directory, an OCI archive or a docker archive. Deterministic: the same
 * files and configuration give the same bits. Streams; the image appears under its name complete or
 * not at all.
 */

#include <jansson.h>

#include "base/error.h"
#include "core/sha256.h"
#include "image/layer_stream.h"

#define IMG_OUT_NAME_MAX 99u /* bytes of a path in the layer: what a plain tar header holds */

enum img_out_kind { IMG_OUT_OCI_DIR, IMG_OUT_OCI_ARCHIVE, IMG_OUT_DOCKER_ARCHIVE };
enum img_out_compress { IMG_OUT_PLAIN, IMG_OUT_GZIP, IMG_OUT_ZSTD };

/* A file or directory of the layer; directories stand before what they hold. */
struct img_out_entry {
    const char *path; /* "nacre/rootfs.nseal" */
    uint32_t mode;    /* type and permissions: a regular file or a directory */
    const void *data; /* content; NULL: read from fd */
    int fd;           /* borrowed, read from offset 0 on */
    uint64_t size;
};

struct img_out_image {
    enum img_out_kind kind;
    enum img_out_compress compress;
    const char *path;
    const char *tag;              /* OCI: the reference name; docker: NAME:TAG; NULL: none */
    const struct img_layer *base; /* layers below ours, copied with their digests checked; NULL */
    size_t base_count;
    const struct img_out_entry *entries;
    size_t count;
    int64_t time;         /* of every entry, and of the image; 0 is a good choice */
    const json_t *config; /* the "config" object: Entrypoint, Env, Labels …; borrowed */
    /* Called when all is written and before the image gets its name: what must not be lost when the
     * image exists is stored here. A failure drops the image. NULL: not called. */
    int (*ready)(void *ctx, struct error **err);
    void *ready_ctx;
};

struct img_out_digests {
    uint8_t manifest[SHA256_SIZE]; /* zero for docker archives, which have none */
    uint8_t config[SHA256_SIZE];
    uint8_t layer[SHA256_SIZE];
    uint64_t layer_size;
};

[[nodiscard]] int img_write_image(const struct img_out_image *image, struct img_out_digests *ret,
                                  struct error **err);
