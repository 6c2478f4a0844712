/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/oci_write.h"
#include "image/seal_image.h"

static char g_dir[] = "/tmp/nacre-test-ociw-XXXXXX";
static uint8_t g_content[700001];
static json_t *g_config;

static int run(const char *format, ...) _printf_(1, 2);

static int run(const char *format, ...)
{
    char command[600];
    va_list ap;
    int status;

    va_start(ap, format);
    (void)vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int setup(void **state)
{
    for (size_t i = 0; i < sizeof(g_content); i++) {
        g_content[i] = (uint8_t)(i * i / 7 + i);
    }
    g_config = json_pack("{s:[s],s:{s:s}}", "Entrypoint", "/nacre/loader", "Labels", "a", "b");
    return g_config == NULL || mkdtemp(g_dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    json_decref(g_config);
    return run("rm -rf %s", g_dir);
}

static const char *const prefixes[] = {"oci:", "oci-archive:", "docker-archive:"};

static int write_one(enum img_out_kind kind, enum img_out_compress compress, const char *name,
                     char path[static 128], struct img_out_digests *d, struct error **err)
{
    const struct img_out_entry entries[] = {
        {.path = "nacre", .mode = 0040755},
        {.path = "nacre/loader", .mode = 0100755, .data = "#!loader", .size = 8},
        {.path = "nacre/rootfs.nseal",
         .mode = 0100644,
         .data = g_content,
         .size = sizeof(g_content)},
    };
    const struct img_out_image image = {
        .kind = kind,
        .compress = compress,
        .path = path,
        .tag = kind == IMG_OUT_DOCKER_ARCHIVE ? "app:1" : "latest",
        .entries = entries,
        .count = ARRAY_COUNT(entries),
        .time = 1700000000,
        .config = g_config,
    };

    (void)snprintf(path, 128, "%s/%s", g_dir, name);
    return img_write_image(&image, d, err);
}

/* Read back through the converter's own front door: digests and diff_ids are checked on the way. */
static void check_readable(enum img_out_kind kind, const char *path)
{
    _cleanup_img_source_ struct img_source *s = NULL;
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_error_ struct error *err = NULL;
    struct img_flatten_stats stats = {0};
    const struct img_progress silent = {0};
    char reference[200];
    uint32_t dir;
    uint32_t file;

    (void)snprintf(reference, sizeof(reference), "%s%s", prefixes[kind], path);
    if (img_source_open(reference, &s, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    assert_int_equal(s->layer_count, 1);
    assert_non_null(strstr((char *)s->config, "\"Entrypoint\":[\"/nacre/loader\"]"));
    assert_int_equal(img_tree_init(&t, NULL), 0);
    if (img_flatten(s, 0, &silent, &t, &stats, &err) < 0) {
        fail_msg("%s", error_text(err));
    }
    dir = img_tree_child(&t, IMG_ROOT, "nacre", 5);
    assert_int_not_equal(dir, IMG_NONE);
    file = img_tree_child(&t, dir, "rootfs.nseal", 12);
    assert_int_not_equal(file, IMG_NONE);
    assert_int_equal(img_inode_of(&t, file)->size, sizeof(g_content));
    assert_int_equal(img_inode_of(&t, file)->mode, 0100644);
    assert_int_equal(img_inode_of(&t, file)->mtime, 1700000000);
    if (run("command -v skopeo >/dev/null") != 0) {
        print_message("# skopeo is not installed: it was not asked\n");
    } else {
        assert_int_equal(run("skopeo inspect --raw %s >%s/raw", reference, g_dir), 0);
        assert_int_equal(run("rm -rf %s/copy", g_dir), 0);
        assert_int_equal(run("skopeo copy -q %s oci:%s/copy", reference, g_dir), 0);
    }
}

static void test_oci_write_every_form_reads_back_and_is_reproducible(void **state)
{
    for (int kind = 0; kind < 3; kind++) {
        for (int compress = 0; compress < 3; compress++) {
            struct img_out_digests a;
            struct img_out_digests b;
            char path_a[128];
            char path_b[128];

            if (kind == IMG_OUT_DOCKER_ARCHIVE && compress == IMG_OUT_ZSTD) {
                continue; /* docker load knows no zstd there */
            }
            assert_int_equal(write_one((enum img_out_kind)kind, (enum img_out_compress)compress,
                                       "a", path_a, &a, NULL),
                             0);
            assert_int_equal(write_one((enum img_out_kind)kind, (enum img_out_compress)compress,
                                       "b", path_b, &b, NULL),
                             0);
            assert_memory_equal(&a, &b, sizeof(a));
            assert_int_equal(run("diff -r %s %s", path_a, path_b), 0);
            check_readable((enum img_out_kind)kind, path_a);
            assert_int_equal(run("rm -rf %s %s", path_a, path_b), 0);
        }
    }
}

/* The first image's layer goes below a new one, and below that once more. */
static void test_oci_write_base_layers_are_passed_on(void **state)
{
    const struct img_out_entry entries[] = {
        {.path = "top", .mode = 0100600, .data = "top", .size = 3}};

    for (int kind = 0; kind < 3; kind++) {
        _cleanup_img_source_ struct img_source *below = NULL;
        _cleanup_img_source_ struct img_source *both = NULL;
        _cleanup_img_tree_ struct img_tree t = {0};
        _cleanup_error_ struct error *err = NULL;
        struct img_flatten_stats stats = {0};
        const struct img_progress silent = {0};
        struct img_layer base[2];
        struct img_out_image image = {.kind = (enum img_out_kind)kind,
                                      .base = base,
                                      .base_count = 2,
                                      .entries = entries,
                                      .count = 1,
                                      .config = g_config};
        struct img_out_digests d;
        char reference[200];
        char path[128];
        char top[128];

        assert_int_equal(write_one(IMG_OUT_OCI_DIR, IMG_OUT_GZIP, "base", path, &d, NULL), 0);
        (void)snprintf(reference, sizeof(reference), "oci:%s", path);
        assert_int_equal(img_source_open(reference, &below, NULL), 0);
        base[0] = base[1] = below->layers[0];
        (void)snprintf(top, sizeof(top), "%s/top", g_dir);
        image.path = top;
        if (img_write_image(&image, &d, &err) < 0) {
            fail_msg("%s", error_text(err));
        }
        (void)snprintf(reference, sizeof(reference), "%s%s", prefixes[kind], top);
        if (img_source_open(reference, &both, &err) < 0) {
            fail_msg("%s", error_text(err));
        }
        assert_int_equal(both->layer_count, 3);
        assert_int_equal(img_tree_init(&t, NULL), 0);
        if (img_flatten(both, 0, &silent, &t, &stats, &err) < 0) {
            fail_msg("%s", error_text(err));
        }
        assert_int_not_equal(img_tree_child(&t, IMG_ROOT, "nacre", 5), IMG_NONE);
        assert_int_not_equal(img_tree_child(&t, IMG_ROOT, "top", 3), IMG_NONE);
        assert_int_equal(run("rm -rf %s", top), 0);
        base[1].digest[0] ^= 1; /* a base layer that is not what it should be */
        assert_int_equal(img_write_image(&image, &d, &err), -EBADMSG);
        assert_int_equal(access(top, F_OK), -1);
        assert_int_equal(run("rm -rf %s", path), 0);
    }
}

static void test_oci_write_existing_directory_and_bad_paths_are_refused(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    const struct img_out_entry bad[] = {{.path = "/etc/passwd", .mode = 0100644}};
    struct img_out_image image = {
        .path = "/tmp/never", .entries = bad, .count = 1, .config = g_config};
    struct img_out_digests d;
    char path[128];

    assert_int_equal(write_one(IMG_OUT_OCI_DIR, IMG_OUT_PLAIN, "x", path, &d, NULL), 0);
    assert_int_equal(write_one(IMG_OUT_OCI_DIR, IMG_OUT_PLAIN, "x", path, &d, &err), -EEXIST);
    assert_non_null(strstr(error_text(err), "exists already"));
    assert_int_equal(run("rm -r %s", path), 0);
    assert_int_equal(img_write_image(&image, &d, &err), -EINVAL);
    assert_int_equal(access("/tmp/never", F_OK), -1);
}

static void test_oci_write_unreadable_content_leaves_nothing(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    struct img_out_digests d;
    char path[128];

    for (int kind = 0; kind < 3; kind++) {
        const struct img_out_entry short_file[] = {
            {.path = "f", .mode = 0100644, .fd = STDERR_FILENO + 100, .size = 10}};
        const struct img_out_image image = {.kind = (enum img_out_kind)kind,
                                            .path = path,
                                            .entries = short_file,
                                            .count = 1,
                                            .config = g_config};

        (void)snprintf(path, sizeof(path), "%s/none", g_dir);
        assert_int_equal(img_write_image(&image, &d, &err), -EBADF);
        assert_int_equal(run("test -z \"$(ls -d %s/none* 2>/dev/null)\"", g_dir), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oci_write_every_form_reads_back_and_is_reproducible),
        cmocka_unit_test(test_oci_write_base_layers_are_passed_on),
        cmocka_unit_test(test_oci_write_existing_directory_and_bad_paths_are_refused),
        cmocka_unit_test(test_oci_write_unreadable_content_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
