/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Sealing the image of a Python service with layers as registries have them (gzip): beside copying
 * it with skopeo, which reads and checks the same bytes, and beside mkfs.erofs of the directory,
 * which only writes the file system.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/image.h"

struct convert_state {
    struct bench_image image;
    char *root;
    char *nacre;
    char *from;
    char *copy; /* where what stands beside it is written */
    char *to;
};

static void teardown(void *state)
{
    struct convert_state *s = state;

    bench_image_done(&s->image);
    free(s->root);
    free(s->nacre);
    free(s->from);
    free(s->copy);
    free(s->to);
    free(s);
}

static int need(const char *program, struct error **err)
{
    return access(program, X_OK) < 0 ? error_set(err, EOPNOTSUPP, "needs %s", program) : 0;
}

static int make(const struct bench_context *c, struct convert_state *s, struct error **err)
{
    int r = bench_debian_root(c, &s->root, err);

    if (r == 0) {
        const struct bench_image_plan plan = {.name = "debian-gzip", .root = s->root, .gzip = true};

        r = bench_image_layout(c, &plan, &s->image, err);
    }
    if (r == 0) {
        r = bench_built_file(c, "nacre", &s->nacre, err);
    }
    if (r == 0) {
        r = bench_printf(&s->from, err, "oci:%s", s->image.layout);
    }
    if (r == 0) {
        r = bench_printf(&s->copy, err, "%s/copy", c->state_dir);
    }
    return r < 0 ? r : bench_printf(&s->to, err, "oci:%s:bench", s->copy);
}

/* The row's arg is the program beside. */
static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    struct convert_state *s = NULL;
    int r = need(c->row->arg, err);

    if (r < 0) {
        return r;
    }
    s = calloc(1, sizeof(*s));
    r = s == NULL ? error_set(err, ENOMEM, "out of memory") : make(c, s, err);
    if (r < 0) {
        if (s != NULL) {
            teardown(s);
        }
        return r;
    }
    *ret_state = s;
    return 0;
}

#define SKOPEO "/usr/bin/skopeo"
#define MKFS   "/usr/bin/mkfs.erofs"

/* Nobody pays for removing what the run before wrote. */
static int clear(const struct convert_state *s, struct error **err)
{
    const char *const argv[] = {"/usr/bin/env", "rm",          "-rf", s->copy,
                                s->image.key,   s->image.blob, NULL};
    struct bench_sample ignored;

    return bench_program(argv, &ignored, err);
}

static int skopeo_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                         struct error **err)
{
    const struct convert_state *s = state;
    const char *const argv[] = {SKOPEO, "copy", "-q", s->from, s->to, NULL};
    int r = clear(s, err);

    return r < 0 ? r : bench_program(argv, ret, err);
}

static int erofs_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    const struct convert_state *s = state;
    const char *const argv[] = {MKFS, s->copy, s->root, NULL};
    int r = clear(s, err);

    return r < 0 ? r : bench_program(argv, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    const struct convert_state *s = state;
    const char *const argv[] = {s->nacre,    "seal",       "--from",      s->from,
                                "--key-out", s->image.key, s->image.blob, NULL};
    int r = clear(s, err);

    return r < 0 ? r : bench_program(argv, ret, err);
}

const struct bench_row bench_row_convert_220m = {
    .id = "convert-220m",
    .unit = "ms",
    .work = "sealing the python3-flask image, beside skopeo copy of it",
    .bar = BENCH_BAR_RATIO_MAX,
    .bar_value = 1.5,
    .slow = true,
    .arg = SKOPEO,
    .setup = setup,
    .native = skopeo_native,
    .nacre = nacre,
    .teardown = teardown,
};

const struct bench_row bench_row_convert_220m_erofs = {
    .id = "convert-220m-erofs",
    .unit = "ms",
    .work = "the same, beside mkfs.erofs of its directory",
    .slow = true,
    .arg = MKFS,
    .setup = setup,
    .native = erofs_native,
    .nacre = nacre,
    .teardown = teardown,
};
