/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Writes a planned EROFS image as streams: metadata at once, then file by file as data arrives.
 * Three buffers of 256 KiB are all it keeps. */

#include "image/erofs_plan.h"
#include "image/sink.h"

struct erofs_writer;

/* Plan and sink are borrowed. Writes everything that holds no file data. */
[[nodiscard]] int erofs_writer_new(const struct erofs_plan *plan, struct img_sink sink,
                                   struct erofs_writer **ret, struct error **err);
struct erofs_writer *erofs_writer_free(struct erofs_writer *w);
static inline void erofs_writer_freep(struct erofs_writer **w)
{
    *w = erofs_writer_free(*w);
}
#define _cleanup_erofs_writer_ _cleanup_(erofs_writer_freep)

/* The next file whose data is wanted, as (layer, source); false when all are there. */
bool erofs_writer_wants(const struct erofs_writer *w, uint16_t *ret_layer, uint32_t *ret_source);

/* Bytes of that file, in order. `data` NULL means zeros. */
[[nodiscard]] int erofs_writer_data(struct erofs_writer *w, const void *data, uint64_t size,
                                    struct error **err);
/* That file is complete: -EBADMSG when fewer bytes came than planned. */
[[nodiscard]] int erofs_writer_file_done(struct erofs_writer *w, struct error **err);

/* Stores what is buffered. -EINVAL while a file is missing. */
[[nodiscard]] int erofs_writer_finish(struct erofs_writer *w, struct error **err);
