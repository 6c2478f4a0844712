/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "bench/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "core/hex.h"
#include "core/sha256.h"

#define ENV         "/usr/bin/env"
#define ROOT_ENV    "NACRE_BENCH_ROOT"
#define ROOT_BUILT  "../../tests/apps/debian/root"
#define LAYERS_MAX  2u
#define TAR_BLOCK   512u
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"

struct blob {
    char digest[2 * SHA256_SIZE + 1];
    uint64_t size;
};

struct layer {
    struct blob blob;
    char diff_id[2 * SHA256_SIZE + 1];
};

int bench_printf(char **ret, struct error **err, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vasprintf(ret, format, args);
    va_end(args);
    if (n < 0) {
        *ret = NULL;
        return error_set(err, ENOMEM, "out of memory");
    }
    return 0;
}

void bench_image_done(struct bench_image *i)
{
    free(i->layout);
    free(i->blob);
    free(i->key);
    *i = (struct bench_image){};
}

static int make_dir(const char *path, struct error **err)
{
    return mkdir(path, 0700) < 0 && errno != EEXIST ? error_set_errno(err, errno, "making %s", path)
                                                    : 0;
}

/* ---- blobs ---- */

static int digest_file(const char *path, struct blob *ret, struct error **err)
{
    static uint8_t buffer[1u << 18];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t hash[SHA256_SIZE];
    struct sha256 ctx;
    ssize_t n;

    if (fd < 0) {
        return error_set_errno(err, errno, "opening %s", path);
    }
    sha256_init(&ctx);
    ret->size = 0;
    while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        sha256_update(&ctx, buffer, (size_t)n);
        ret->size += (uint64_t)n;
    }
    if (n < 0) {
        return error_set_errno(err, errno, "reading %s", path);
    }
    sha256_final(&ctx, hash);
    hex_encode(ret->digest, hash, sizeof(hash));
    ret->digest[2 * SHA256_SIZE] = '\0';
    return 0;
}

/* Moves a finished file into the layout under its digest. */
static int store_file(const char *layout, const char *path, struct blob *ret, struct error **err)
{
    _cleanup_free_ char *to = NULL;
    int r = digest_file(path, ret, err);

    if (r == 0) {
        r = bench_printf(&to, err, "%s/blobs/sha256/%s", layout, ret->digest);
    }
    if (r < 0) {
        return r;
    }
    return rename(path, to) < 0 ? error_set_errno(err, errno, "renaming %s", path) : 0;
}

static int store_text(const char *layout, const char *text, struct blob *ret, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    int r = bench_printf(&path, err, "%s/new", layout);

    if (r == 0) {
        r = fs_write_file_atomic(path, text, strlen(text), 0600, err);
    }
    return r < 0 ? r : store_file(layout, path, ret, err);
}

/* ---- layers ---- */

static int run(const char *const *argv, struct error **err)
{
    struct bench_sample ignored;

    return bench_program(argv, &ignored, err);
}

static int tar_directory(const char *root, const char *path, struct error **err)
{
    const char *const argv[] = {ENV,           "tar",      "--numeric-owner",
                                "--sort=name", "--sparse", "--one-file-system",
                                "-C",          root,       "-cf",
                                path,          ".",        NULL};

    return run(argv, err);
}

static void tar_header(uint8_t block[static TAR_BLOCK], const char *name, unsigned size)
{
    unsigned sum = 0;

    memset(block, 0, TAR_BLOCK);
    (void)snprintf((char *)block, 100, "%s", name);
    memcpy(block + 100, "0000644\0000000000\0000000000\0", 24);
    (void)snprintf((char *)block + 124, 12, "%011o", size);
    memcpy(block + 136, "00000000000", 12);
    memset(block + 148, ' ', 8);
    block[156] = '0';
    memcpy(block + 257, "ustar\00000", 8);
    for (unsigned i = 0; i < TAR_BLOCK; i++) {
        sum += block[i];
    }
    (void)snprintf((char *)block + 148, 8, "%06o", sum);
}

/* /many/DIR/FILE: a thousand files a directory, each with its own name in it. */
static int tar_many(uint32_t count, const char *path, struct error **err)
{
    FILE *f = fopen(path, "we");
    bool bad = f == NULL;

    for (uint32_t i = 0; i < count && !bad; i++) {
        uint8_t block[2 * TAR_BLOCK] = {0};
        char name[64];

        (void)snprintf(name, sizeof(name), "many/%03u/file-%06u", i / 1000, i);
        tar_header(block, name, (unsigned)strlen(name));
        memcpy(block + TAR_BLOCK, name, strlen(name));
        bad = fwrite(block, sizeof(block), 1, f) != 1;
    }
    if (!bad) {
        static const uint8_t end[2 * TAR_BLOCK];

        bad = fwrite(end, sizeof(end), 1, f) != 1;
    }
    if (f == NULL || fclose(f) != 0 || bad) {
        return error_set_errno(err, errno, "writing %s", path);
    }
    return 0;
}

static int store_layer(const char *layout, char *tar, bool gzip, struct layer *ret,
                       struct error **err)
{
    _cleanup_free_ char *zipped = NULL;
    struct blob plain;
    int r;

    if (!gzip) {
        r = store_file(layout, tar, &ret->blob, err);
        memcpy(ret->diff_id, ret->blob.digest, sizeof(ret->diff_id));
        return r;
    }
    r = digest_file(tar, &plain, err);
    if (r == 0) {
        const char *const argv[] = {ENV, "gzip", "-n", "-f", tar, NULL};

        memcpy(ret->diff_id, plain.digest, sizeof(ret->diff_id));
        r = run(argv, err);
    }
    if (r == 0) {
        r = bench_printf(&zipped, err, "%s.gz", tar);
    }
    return r < 0 ? r : store_file(layout, zipped, &ret->blob, err);
}

/* ---- the layout ---- */

static int write_manifest(const char *layout, const struct layer *layer, size_t count, bool gzip,
                          struct blob *ret, struct error **err)
{
    _cleanup_free_ char *config_text = NULL;
    _cleanup_free_ char *text = NULL;
    const char *media = gzip ? MEDIA_LAYER "+gzip" : MEDIA_LAYER;
    struct blob config;
    int r = bench_printf(&config_text, err,
                         "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
                         "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\"%s%s%s]}}",
                         layer[0].diff_id, count > 1 ? ",\"sha256:" : "",
                         count > 1 ? layer[1].diff_id : "", count > 1 ? "\"" : "");

    if (r == 0) {
        r = store_text(layout, config_text, &config, err);
    }
    for (size_t i = 0; i < count && r == 0; i++) {
        _cleanup_free_ char *before = TAKE_PTR(text);

        r = bench_printf(&text, err,
                         "%s%s{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%ju}",
                         i == 0 ? "" : before, i == 0 ? "" : ",", media, layer[i].blob.digest,
                         (uintmax_t)layer[i].blob.size);
    }
    if (r == 0) {
        _cleanup_free_ char *layers = TAKE_PTR(text);

        r = bench_printf(&text, err,
                         "{\"schemaVersion\":2,"
                         "\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                         "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\","
                         "\"digest\":\"sha256:%s\",\"size\":%ju},\"layers\":[%s]}",
                         config.digest, (uintmax_t)config.size, layers);
    }
    return r < 0 ? r : store_text(layout, text, ret, err);
}

static int write_file(const char *layout, const char *name, const char *text, struct error **err)
{
    _cleanup_free_ char *path = NULL;
    int r = bench_printf(&path, err, "%s/%s", layout, name);

    return r < 0 ? r : fs_write_file_atomic(path, text, strlen(text), 0600, err);
}

static int write_index(const char *layout, const struct blob *manifest, struct error **err)
{
    _cleanup_free_ char *text = NULL;
    int r = bench_printf(
        &text, err,
        "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
        "\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%ju,"
        "\"annotations\":{\"org.opencontainers.image.ref.name\":\"bench\"}}]}",
        manifest->digest, (uintmax_t)manifest->size);

    if (r == 0) {
        r = write_file(layout, "index.json", text, err);
    }
    return r < 0 ? r : write_file(layout, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", err);
}

static int make_layers(const struct bench_image_plan *plan, const char *layout, struct layer *ret,
                       size_t *ret_count, struct error **err)
{
    _cleanup_free_ char *tar = NULL;
    int r = bench_printf(&tar, err, "%s/layer", layout);

    *ret_count = 0;
    if (r == 0) {
        r = tar_directory(plan->root, tar, err);
    }
    if (r == 0) {
        r = store_layer(layout, tar, plan->gzip, &ret[(*ret_count)++], err);
    }
    if (r == 0 && plan->more_files > 0) {
        r = tar_many(plan->more_files, tar, err);
        if (r == 0) {
            r = store_layer(layout, tar, plan->gzip, &ret[(*ret_count)++], err);
        }
    }
    return r;
}

static int make_layout(const struct bench_image_plan *plan, const char *layout, struct error **err)
{
    _cleanup_free_ char *blobs = NULL;
    _cleanup_free_ char *sha256_dir = NULL;
    struct layer layers[LAYERS_MAX];
    struct blob manifest;
    size_t count = 0;
    int r = bench_printf(&blobs, err, "%s/blobs", layout);

    if (r == 0) {
        r = bench_printf(&sha256_dir, err, "%s/sha256", blobs);
    }
    if (r == 0) {
        r = make_dir(layout, err);
    }
    if (r == 0) {
        r = make_dir(blobs, err);
    }
    if (r == 0) {
        r = make_dir(sha256_dir, err);
    }
    if (r == 0) {
        r = make_layers(plan, layout, layers, &count, err);
    }
    if (r == 0) {
        r = write_manifest(layout, layers, count, plan->gzip, &manifest, err);
    }
    return r < 0 ? r : write_index(layout, &manifest, err);
}

int bench_image_layout(const struct bench_context *c, const struct bench_image_plan *plan,
                       struct bench_image *ret, struct error **err)
{
    _cleanup_bench_image_ struct bench_image i = {};
    _cleanup_free_ char *index = NULL;
    int r = bench_printf(&i.layout, err, "%s/%s", c->state_dir, plan->name);

    if (r == 0) {
        r = bench_printf(&i.blob, err, "%s.nseal", i.layout);
    }
    if (r == 0) {
        r = bench_printf(&i.key, err, "%s.key", i.layout);
    }
    if (r == 0) {
        r = bench_printf(&index, err, "%s/index.json", i.layout);
    }
    if (r == 0 && access(index, R_OK) < 0) { /* else another row of this run made it */
        r = make_layout(plan, i.layout, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = i;
    i = (struct bench_image){};
    ret->options[0] = "--sealed";
    ret->options[1] = ret->blob;
    ret->options[2] = "--key";
    ret->options[3] = ret->key;
    ret->options[4] = NULL;
    return 0;
}

int bench_image_seal(const struct bench_context *c, const struct bench_image_plan *plan,
                     struct bench_image *ret, struct error **err)
{
    _cleanup_bench_image_ struct bench_image i = {};
    _cleanup_free_ char *nacre = NULL;
    _cleanup_free_ char *from = NULL;
    int r = bench_image_layout(c, plan, &i, err);

    if (r == 0) {
        r = bench_built_file(c, "nacre", &nacre, err);
    }
    if (r == 0) {
        r = bench_printf(&from, err, "oci:%s", i.layout);
    }
    if (r == 0 && access(i.blob, R_OK) < 0) {
        const char *const argv[] = {nacre,       "seal", "--from", from, "--force",
                                    "--key-out", i.key,  i.blob,   NULL};

        r = run(argv, err);
    }
    if (r < 0) {
        return r;
    }
    *ret = i;
    i = (struct bench_image){};
    ret->options[1] = ret->blob;
    ret->options[3] = ret->key;
    return 0;
}

int bench_debian_root(const struct bench_context *c, char **ret, struct error **err)
{
    const char *named = getenv(ROOT_ENV);
    _cleanup_free_ char *python = NULL;
    _cleanup_free_ char *root = NULL;
    int r = named != NULL ? bench_printf(&root, err, "%s", named)
                          : bench_built_file(c, ROOT_BUILT, &root, err);

    if (r == 0) {
        r = bench_printf(&python, err, "%s/usr/bin/python3", root);
    }
    if (r < 0) {
        return r;
    }
    if (faccessat(AT_FDCWD, python, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
        return error_set(err, EOPNOTSUPP,
                         "needs a Debian root with python3-flask at %s: 'tests/apps/make-root %s "
                         "python3 python3-flask' makes one; " ROOT_ENV " names another",
                         root, root);
    }
    *ret = TAKE_PTR(root);
    return 0;
}
