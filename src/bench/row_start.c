/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* From the command to its end: building the enclave, the program's start, its work, its end. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/image.h"

#define PYTHON "/usr/bin/python3"
#define HELLO  "../bench/bench_hello"

/* The state is the program's path. */
static int native(const struct bench_context *c, void *state, struct bench_sample *ret,
                  struct error **err)
{
    const char *const argv[] = {state, NULL};

    return bench_program(argv, ret, err);
}

static int nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                 struct error **err)
{
    const char *const argv[] = {state, NULL};

    return bench_exec_program(c, NULL, argv, ret, err);
}

static int hello_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    int r = bench_built_file(c, HELLO, &path, err);

    if (r == 0) {
        r = bench_need_exec(c, path, err);
    }
    if (r == 0) {
        *ret_state = TAKE_PTR(path);
    }
    return r;
}

static int python_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    return bench_need_exec(c, PYTHON, err);
}

static int python_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                         struct error **err)
{
    static const char *const argv[] = {PYTHON, "-c", "pass", NULL};

    return bench_program(argv, ret, err);
}

static int python_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    static const char *const argv[] = {PYTHON, "-c", "pass", NULL};

    return bench_exec_program(c, NULL, argv, ret, err);
}

const struct bench_row bench_row_hello_start = {
    .id = "hello-start",
    .unit = "ms",
    .work = "a C program that writes one line, from command to end",
    .setup = hello_setup,
    .native = native,
    .nacre = nacre,
    .teardown = free,
};

const struct bench_row bench_row_py_start_host = {
    .id = "py-start-host",
    .unit = "ms",
    .work = "python3 -c pass, from command to end, files of the host",
    .setup = python_setup,
    .native = python_native,
    .nacre = python_nacre,
};

/* ---- from a sealed Debian root ---- */

struct sealed_start {
    struct bench_image plain; /* the root as it is */
    struct bench_image many;  /* with many more files; only of start-many-files */
    char *root;
};

#define MANY_FILES 200000u

static void sealed_teardown(void *state)
{
    struct sealed_start *s = state;

    bench_image_done(&s->plain);
    bench_image_done(&s->many);
    free(s->root);
    free(s);
}

static int sealed_setup(const struct bench_context *c, uint32_t more_files, void **ret_state,
                        struct error **err)
{
    struct sealed_start *s = calloc(1, sizeof(*s));
    int r =
        s == NULL ? error_set(err, ENOMEM, "out of memory") : bench_debian_root(c, &s->root, err);

    if (r == 0) {
        const struct bench_image_plan plan = {.name = "debian", .root = s->root};

        r = bench_image_seal(c, &plan, &s->plain, err);
    }
    if (r == 0 && more_files > 0) {
        const struct bench_image_plan plan = {
            .name = "debian-many", .root = s->root, .more_files = more_files};

        r = bench_image_seal(c, &plan, &s->many, err);
    }
    if (r < 0) {
        if (s != NULL) {
            sealed_teardown(s);
        }
        return r;
    }
    *ret_state = s;
    return 0;
}

static int py_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    return sealed_setup(c, 0, ret_state, err);
}

static int many_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    return sealed_setup(c, MANY_FILES, ret_state, err);
}

/* The same python of the same root, outside. */
static int py_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                     struct error **err)
{
    const struct sealed_start *s = state;
    const char *const as_root[] = {"/usr/sbin/chroot", s->root, PYTHON, "-c", "pass", NULL};
    const char *const as_user[] = {
        "/usr/bin/unshare", "-r", "/usr/sbin/chroot", s->root, PYTHON, "-c", "pass", NULL};

    return bench_program(geteuid() == 0 ? as_root : as_user, ret, err);
}

static int start_sealed(const struct bench_context *c, const struct bench_image *i,
                        struct bench_sample *ret, struct error **err)
{
    static const char *const argv[] = {PYTHON, "-c", "pass", NULL};

    return bench_exec_program(c, i->options, argv, ret, err);
}

static int plain_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                       struct error **err)
{
    return start_sealed(c, &((struct sealed_start *)state)->plain, ret, err);
}

static int many_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                      struct error **err)
{
    return start_sealed(c, &((struct sealed_start *)state)->many, ret, err);
}

const struct bench_row bench_row_py_start = {
    .id = "py-start",
    .unit = "ms",
    .work = "python3 -c pass from a sealed Debian root, from command to end",
    .bar = BENCH_BAR_NATIVE_PLUS,
    .bar_value = 60,
    .setup = py_setup,
    .native = py_native,
    .nacre = plain_nacre,
    .teardown = sealed_teardown,
};

/* "native" is py-start here: nacre, without the many files. */
const struct bench_row bench_row_start_many_files = {
    .id = "start-many-files",
    .unit = "ms",
    .work = "the same from that root with 200,000 files more, beside py-start",
    .bar = BENCH_BAR_NATIVE_PLUS,
    .bar_value = 10,
    .slow = true,
    .setup = many_setup,
    .native = plain_nacre,
    .nacre = many_nacre,
    .teardown = sealed_teardown,
};
