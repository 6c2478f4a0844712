/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * A file that gets its name only when it is complete: unnamed (O_TMPFILE) while it is written where
 * the file system can, so that even a killed process leaves nothing behind; else a temporary name
 * beside it.
 */

#include "base/error.h"

struct img_out {
    int fd;
    char *path; /* the final name; of a scratch file, how messages call it */
    char *tmp;  /* the temporary name, or NULL while unnamed */
};

#define IMG_OUT_NONE ((struct img_out){.fd = -1})

/* `size` bytes are reserved at once where the file system can, so that a full disk shows first. */
[[nodiscard]] int img_out_open(struct img_out *out, const char *path, uint64_t size, unsigned mode,
                               struct error **err);
/* A scratch file in the directory of `beside`: never named, gone when its descriptor closes. Not to
 * be committed; TAKE_FD(out->fd) keeps it. */
[[nodiscard]] int img_out_open_scratch(struct img_out *out, const char *beside, uint64_t size,
                                       struct error **err);
[[nodiscard]] int img_out_write(struct img_out *out, uint64_t offset, const void *data, size_t size,
                                struct error **err);
/* Syncs, names the file (replacing an older one in one step), and closes it. */
[[nodiscard]] int img_out_commit(struct img_out *out, struct error **err);
/* Drops an uncommitted file. Does nothing after commit or on IMG_OUT_NONE. */
void img_out_discard(struct img_out *out);
#define _cleanup_img_out_ _cleanup_(img_out_discard)
