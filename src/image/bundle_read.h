/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Takes the bundle (docs/formats/bundle.md) out of a converted image: the regular files under
 * nacre/ of its top layer. Nothing here needs trust: the loader measures what it starts.
 */

#include "image/source.h"

/* Files a bundle must have; the others are optional. */
#define IMG_BUNDLE_LOADER    "nacre-loader"
#define IMG_BUNDLE_ENCLAVE   "libos.elf"
#define IMG_BUNDLE_SIGSTRUCT "sigstruct"
#define IMG_BUNDLE_MANIFEST  "manifest"
#define IMG_BUNDLE_AGENT     "agent"
#define IMG_BUNDLE_SEALED    "rootfs.nseal"

/* Writes them into the existing, empty directory `dir` with their permissions. The layer's digests
 * are checked to its end before 0 is returned; after an error the directory holds rubbish.
 * -ENOENT: the image was not made by nacre convert. -EBADMSG: names or types no bundle has. */
[[nodiscard]] int img_bundle_extract(const struct img_source *source, const char *dir,
                                     const struct img_progress *progress, struct error **err);
