/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Two trees as one, read-only: what `above` has wins, directories of both show the names of both.
 * A directory of `above` with the attribute trusted.overlay.opaque = "y" hides what lies below it
 * whole. Made for a sealed image over an unprotected host directory: nothing the host has can
 * replace, or come into an opaque directory of, the image, and an error of the image is never
 * answered with the host's file.
 */

#include "libos/fs/inode.h"

/* Takes both over on success. */
[[nodiscard]] int union_create(struct superblock *above, struct superblock *below,
                               struct superblock **ret);
