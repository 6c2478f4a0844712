/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* One layer as a tar stream, compressed when asked, written into a file at an offset. */

#include "image/oci_write.h"
#include "image/out_file.h"

#define TAR_HEADER_SIZE 512u

/* A plain header, mtime from 1970 to 2242; sizes of 8 GiB and more in GNU's binary form, which
 * every engine reads. */
void tar_make_header(uint8_t dst[static TAR_HEADER_SIZE], const char *name, uint32_t mode,
                     uint64_t size, int64_t mtime);

struct layer_written {
    const char *media_type; /* of an OCI layer */
    uint64_t size;          /* bytes written */
    uint8_t digest[SHA256_SIZE];
    uint8_t diff_id[SHA256_SIZE];
};

/* Writes layer `index` of the image: of the base as it is, or our own behind those. -EBADMSG when a
 * base layer is not what its digest says. */
[[nodiscard]] int layer_write(const struct img_out_image *image, size_t index, struct img_out *out,
                              uint64_t at, struct layer_written *ret, struct error **err);
