/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#pragma once

/*
 * Container images for rows: directories become an OCI layout in the directory of the run, and that
 * a sealed image. Made once a run; what lies there goes with it.
 */

#include "bench/bench.h"

struct bench_image {
    char *layout; /* the OCI layout */
    char *blob;   /* sealed */
    char *key;
    /* "--sealed", blob, "--key", key: for nacre exec. Borrowed. */
    const char *options[5];
};

void bench_image_done(struct bench_image *i);
#define _cleanup_bench_image_ _cleanup_(bench_image_done)

/* The directory as one layer. `more_files`: a second layer with that many small files in /many. */
struct bench_image_plan {
    const char *name; /* of what is made, unique in a run */
    const char *root;
    uint32_t more_files;
    bool gzip; /* the layers, as registries have them */
};

/* -EOPNOTSUPP: tar or gzip is not there. */
[[nodiscard]] int bench_image_layout(const struct bench_context *c,
                                     const struct bench_image_plan *plan, struct bench_image *ret,
                                     struct error **err);
/* Layout and sealed image. */
[[nodiscard]] int bench_image_seal(const struct bench_context *c,
                                   const struct bench_image_plan *plan, struct bench_image *ret,
                                   struct error **err);

/* A Debian root with python3-flask: NACRE_BENCH_ROOT, or the one the tests of applications make.
 * Malloc'd. -EOPNOTSUPP says how to make one. */
[[nodiscard]] int bench_debian_root(const struct bench_context *c, char **ret, struct error **err);

/* printf into fresh memory: 0 or -ENOMEM with the message set. */
[[nodiscard]] int bench_printf(char **ret, struct error **err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
