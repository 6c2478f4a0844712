/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* Where an image goes: oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG], and
 * through skopeo docker://NAME, docker-daemon:NAME:TAG, containers-storage:NAME. */

#include "image/oci_write.h"

struct target {
    enum img_out_kind kind;
    char *path;
    char *tag;       /* NULL: none */
    char *reference; /* what skopeo is to copy the layout at `path` to; NULL: nothing */
    char *scratch;   /* the directory around `path`, removed at the end; NULL */
};

/* -EINVAL lists the forms; -ENOENT: skopeo is needed and not there. */
[[nodiscard]] int target_parse(const char *reference, struct target *ret, struct error **err);
void target_done(struct target *t);
#define _cleanup_target_ _cleanup_(target_done)

/* Copies the written layout to where it should go; nothing to do for files. */
[[nodiscard]] int target_push(const struct target *t, struct error **err);
