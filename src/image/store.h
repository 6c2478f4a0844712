/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Named byte regions: the files of a directory, or the members of an uncompressed tar file. */

#include "image/layer_stream.h"

#define IMG_MEMBERS_MAX 65536u /* members of one archive */

struct img_store;

/* `path` names a directory or an archive. With `owned`, the directory is removed at the end. */
[[nodiscard]] int img_store_open(const char *path, bool owned, struct img_store **ret,
                                 struct error **err);
struct img_store *img_store_free(struct img_store *s);
static inline void img_store_freep(struct img_store **s)
{
    *s = img_store_free(*s);
}
#define _cleanup_img_store_ _cleanup_(img_store_freep)

bool img_store_is_archive(const struct img_store *s);
bool img_store_has(struct img_store *s, const char *name);

/* Finds a member. Links inside an archive are followed. -ENOENT. */
[[nodiscard]] int img_store_find(struct img_store *s, const char *name, struct img_region *ret,
                                 struct error **err);

/* Reads a member whole: at most `max` bytes, malloc'd, NUL-terminated. */
[[nodiscard]] int img_store_read(struct img_store *s, const char *name, size_t max, uint8_t **ret,
                                 size_t *ret_size, struct error **err);
