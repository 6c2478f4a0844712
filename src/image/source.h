/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Where an image comes from: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], and
 * through skopeo docker://NAME, docker-daemon:NAME, containers-storage:NAME. Opening reads manifest
 * and configuration and checks their digests; layers are checked while they are read.
 */

#include "image/layer_stream.h"
#include "image/tree.h"

#define IMG_JSON_MAX  (8u * 1024 * 1024) /* bytes of a manifest, index or configuration */
#define IMG_INDEX_MAX 1024u              /* manifests of one index */
#define IMG_NEST_MAX  4u                 /* indexes inside indexes */

struct img_store;

struct img_source {
    struct img_layer *layers; /* lowest first */
    size_t layer_count;
    uint64_t layers_size; /* bytes of all blobs, for progress */
    uint8_t *config;      /* the image configuration, JSON, NUL-terminated */
    size_t config_size;
    char digest[80]; /* "sha256:…" of the manifest; of the configuration for docker-archive */
    struct img_store *store;
};

/* -ENOTSUP names what is not handled; -ENOEXEC: not a linux/amd64 image. */
[[nodiscard]] int img_source_open(const char *reference, struct img_source **ret,
                                  struct error **err);
struct img_source *img_source_free(struct img_source *s);
static inline void img_source_freep(struct img_source **s)
{
    *s = img_source_free(*s);
}
#define _cleanup_img_source_ _cleanup_(img_source_freep)
