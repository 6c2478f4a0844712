/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Files of a sealed image. What is read for the first time stands beside AES-256-GCM alone, by the
 * same library over as much memory; what was read before, and names, beside the same program on
 * files in the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/image.h"
#include "core/aead.h"

#define BIG_SIZE   ((size_t)128 << 20)
#define CHUNK      (128u << 10) /* what programs/ops.c reads at once */
#define BLOCK      4096u
#define OPS_STATIC "../bench/bench_ops_static"
#define DEEP       "/usr/lib/nacre/bench"

struct sealed_state {
    struct bench_program program; /* first: the functions of bench_ops rows take it */
    struct bench_image image;
    char *native_file;
    uint8_t *cipher; /* for GCM alone */
};

static void teardown(void *state)
{
    struct sealed_state *s = state;

    bench_image_done(&s->image);
    free(s->program.path);
    free(s->native_file);
    if (s->cipher != NULL) {
        (void)munmap(s->cipher, BIG_SIZE);
    }
    free(s);
}

/* ---- the image: the measuring program and one large file ---- */

static int write_big(const char *path, struct error **err)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    uint64_t buffer[CHUNK / 8];
    uint64_t x = 88172645463325252u;

    for (size_t done = 0; fd >= 0 && done < BIG_SIZE; done += CHUNK) {
        for (size_t i = 0; i < CHUNK / 8; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            buffer[i] = x;
        }
        if (write(fd, buffer, CHUNK) != (ssize_t)CHUNK) {
            return error_set_errno(err, errno, "writing %s", path);
        }
    }
    return fd < 0 ? error_set_errno(err, errno, "making %s", path) : 0;
}

/* The directory that becomes the image. */
static int make_root(const char *root, const char *ops, const char *big, struct error **err)
{
    static const char *const dirs[] = {"", "/tmp", "/proc", "/dev", DEEP};
    _cleanup_free_ char *to = NULL;
    int r = 0;

    for (size_t i = 0; i < ARRAY_COUNT(dirs) && r == 0; i++) {
        _cleanup_free_ char *dir = NULL;

        r = bench_printf(&dir, err, "%s%s", root, dirs[i]);
        if (r == 0) {
            const char *const argv[] = {"/usr/bin/env", "mkdir", "-p", dir, NULL};
            struct bench_sample ignored;

            r = bench_program(argv, &ignored, err);
        }
    }
    if (r == 0) {
        r = bench_printf(&to, err, "%s/ops", root);
    }
    if (r == 0) {
        const char *const argv[] = {"/usr/bin/env", "cp", ops, to, NULL};
        struct bench_sample ignored;

        r = bench_program(argv, &ignored, err);
    }
    return r < 0 ? r : write_big(big, err);
}

/* The row's arg is the program's work. */
static int setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    struct sealed_state *s = calloc(1, sizeof(*s));
    _cleanup_free_ char *root = NULL;
    int r = s == NULL ? error_set(err, ENOMEM, "out of memory") : 0;

    if (r < 0) {
        return r;
    }
    r = bench_built_file(c, OPS_STATIC, &s->program.path, err);
    if (r == 0) {
        r = bench_need_exec(c, s->program.path, err);
    }
    if (r == 0) {
        r = bench_printf(&root, err, "%s/sealed-root", c->state_dir);
    }
    if (r == 0) {
        r = bench_printf(&s->native_file, err, "%s" DEEP "/big", root);
    }
    if (r == 0 && access(s->native_file, R_OK) < 0) {
        r = make_root(root, s->program.path, s->native_file, err);
    }
    if (r == 0) {
        const struct bench_image_plan plan = {.name = "sealed-ops", .root = root};

        r = bench_image_seal(c, &plan, &s->image, err);
    }
    if (r == 0) {
        s->program.work = c->row->arg;
        s->program.options = s->image.options;
        s->program.inside_path = "/ops";
        s->program.file = s->native_file;
        s->program.inside_file = DEEP "/big";
        r = bench_ops_prepare(c, &s->program, err);
    }
    if (r < 0) {
        teardown(s);
        return r;
    }
    *ret_state = s;
    return 0;
}

/* ---- AES-256-GCM alone ---- */

static void to_throughput(struct bench_sample *s)
{
    s->value = (double)CHUNK / s->value * 1e9 / (1u << 20);
}

static int map_cipher(struct sealed_state *s, struct error **err)
{
    void *p = mmap(NULL, BIG_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (p == MAP_FAILED) {
        return error_set_errno(err, errno, "memory for AES-GCM");
    }
    memset(p, 0x5a, BIG_SIZE);
    s->cipher = p;
    return 0;
}

/* 4 KiB messages, each under its nonce, from memory to memory that is in use already: sealing costs
 * what opening does. */
static int raw_gcm(const struct bench_context *c, void *state, struct bench_sample *ret,
                   struct error **err)
{
    static const uint8_t secret[AEAD_KEY_SIZE] = {1};
    static uint8_t out[CHUNK] _aligned_(64);
    struct sealed_state *s = state;
    uint8_t nonce[AEAD_NONCE_SIZE] = {0};
    uint8_t tag[AEAD_TAG_SIZE];
    struct aead_key key;
    double start;
    double cpu;

    aead_key_init(&key, secret);
    cpu = bench_cpu_ns();
    start = bench_now_ns();
    for (uint64_t i = 0; i < BIG_SIZE / BLOCK; i++) {
        memcpy(nonce, &i, sizeof(i));
        aead_seal(&key, nonce, NULL, 0, s->cipher + i * BLOCK, BLOCK, out + i * BLOCK % CHUNK, tag);
    }
    ret->n = BIG_SIZE / CHUNK;
    ret->value = (bench_now_ns() - start) / (double)ret->n;
    ret->cpu_us = (bench_cpu_ns() - cpu) / (double)ret->n / 1e3;
    to_throughput(ret);
    aead_key_wipe(&key);
    return 0;
}

static int raw_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    struct sealed_state *s = calloc(1, sizeof(*s));
    int r = s == NULL ? error_set(err, ENOMEM, "out of memory") : map_cipher(s, err);

    if (r < 0) {
        free(s);
        return r;
    }
    *ret_state = s;
    return 0;
}

static int first_setup(const struct bench_context *c, void **ret_state, struct error **err)
{
    int r = setup(c, ret_state, err);

    if (r == 0) {
        r = map_cipher(*ret_state, err);
        if (r < 0) {
            teardown(*ret_state);
        }
    }
    return r;
}

static int first_nacre(const struct bench_context *c, void *state, struct bench_sample *ret,
                       struct error **err)
{
    int r = bench_ops_nacre(c, state, ret, err);

    to_throughput(ret);
    return r;
}

static int first_native(const struct bench_context *c, void *state, struct bench_sample *ret,
                        struct error **err)
{
    int r = bench_ops_native(c, state, ret, err);

    to_throughput(ret);
    return r;
}

/* ---- rows ---- */

const struct bench_row bench_row_raw_gcm = {
    .id = "raw-gcm",
    .unit = "MiB/s",
    .work = "AES-256-GCM of 128 MiB in 4 KiB messages, outside, nothing else",
    .setup = raw_setup,
    .nacre = raw_gcm,
    .teardown = teardown,
};

const struct bench_row bench_row_sealed_first = {
    .id = "sealed-first",
    .unit = "MiB/s",
    .work = "a file of 128 MiB read for the first time, beside AES-256-GCM alone",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 0.8,
    .arg = "first",
    .setup = first_setup,
    .native = raw_gcm,
    .nacre = first_nacre,
    .teardown = teardown,
};

const struct bench_row bench_row_sealed_second = {
    .id = "sealed-second",
    .unit = "MiB/s",
    .work = "the same file read a second time, which is when it is kept, beside the page cache",
    .arg = "second",
    .setup = setup,
    .native = first_native,
    .nacre = first_nacre,
    .teardown = teardown,
};

const struct bench_row bench_row_sealed_read = {
    .id = "sealed-read",
    .unit = "MiB/s",
    .work = "the same file once it is kept, beside the page cache",
    .bar = BENCH_BAR_RATIO_MIN,
    .bar_value = 1.0,
    .arg = "read-again",
    .setup = setup,
    .native = first_native,
    .nacre = first_nacre,
    .teardown = teardown,
};

#define SEALED_ROW(name, row_id, work_name, kind, limit, text) \
    const struct bench_row bench_row_##name = {                \
        .id = (row_id),                                        \
        .unit = "ns",                                          \
        .work = (text),                                        \
        .bar = (kind),                                         \
        .bar_value = (limit),                                  \
        .arg = (work_name),                                    \
        .setup = setup,                                        \
        .native = bench_ops_native,                            \
        .nacre = bench_ops_nacre,                              \
        .teardown = teardown,                                  \
    }

SEALED_ROW(sealed_rand, "sealed-rand", "first-random", BENCH_BAR_MAX, 3000,
           "4 KiB of it in random order, each for the first time, beside the page cache");
SEALED_ROW(pread_4k_sealed, "pread-4k-sealed", "pread-4k", BENCH_BAR_RATIO_MAX, 1.0,
           "pread of 4 KiB of a sealed file, read before");
SEALED_ROW(open_close_sealed, "open-close-sealed", "open-close", BENCH_BAR_RATIO_MAX, 1.0,
           "open and close of a sealed file five directories deep");
SEALED_ROW(stat_sealed, "stat-sealed", "stat", BENCH_BAR_RATIO_MAX, 1.0, "stat of that file");
