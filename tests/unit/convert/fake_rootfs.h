/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/* A handful of files as a struct rootfs: a table of paths, ended by a NULL path. */

#include "convert/rootfs.h"

struct fake_file {
    const char *path; /* "/a/b"; directories need rows of their own */
    uint32_t mode;
    const char *data; /* content, or the target of a link */
    size_t size;      /* of content with NULs in it; 0: strlen */
};

void fake_rootfs(const struct fake_file *files, struct rootfs *ret);
