/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* What goes into /nacre/ of a converted image (docs/formats/bundle.md): read, measured, signed,
 * written. */

#include "abi/manifest_format.h"
#include "convert/convert.h"
#include "convert/image_config.h"
#include "convert/target.h"

struct sgx_sigstruct;

struct bundle_file {
    uint8_t *data;
    size_t size;
};

struct bundle {
    struct bundle_file loader;
    struct bundle_file libos;
    struct bundle_file agent;
    struct bundle_file manifest;
    struct bundle_file sigstruct;
    uint8_t mrenclave[32];
    uint8_t mrsigner[32];
};

/* Reads loader, enclave and agent, each checked to be an ELF file for this machine. */
[[nodiscard]] int bundle_read(const struct convert_options *o, struct bundle *ret,
                              struct error **err);
void bundle_done(struct bundle *b);
#define _cleanup_bundle_ _cleanup_(bundle_done)

/* Checks --allow-env and --host-path before any work is done: encodes a manifest with them. */
[[nodiscard]] int bundle_check_lists(const struct convert_options *o, struct error **err);

/* Writes the manifest and measures the enclave with it. */
[[nodiscard]] int bundle_measure(const struct convert_options *o, struct bundle *b,
                                 const char *session, const uint8_t sealed_root[static 32],
                                 bool host_below, struct error **err);

/* Signs as `o` says. -EALREADY: the bytes to be signed were written. */
[[nodiscard]] int bundle_sign(const struct convert_options *o, struct bundle *b,
                              struct error **err);

struct bundle_image {
    const struct target *target;
    const struct image_config *source;
    const char *session; /* the whole name */
    const char *service;
    const uint8_t *sealed_root;
    int sealed_fd; /* rootfs.nseal, borrowed */
    uint64_t sealed_size;
    const struct img_layer *below; /* the unprotected part, or NULL */
    size_t below_count;
    int (*ready)(void *ctx, struct error **err); /* as struct img_out_image */
    void *ready_ctx;
};

[[nodiscard]] int bundle_write(const struct convert_options *o, const struct bundle *b,
                               const struct bundle_image *im, struct error **err);
