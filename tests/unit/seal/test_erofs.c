/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/erofs_fixture.h"
#include "seal/erofs.h"

static char g_dir[] = "/tmp/nacre-test-erofsr-XXXXXX";

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
    return mkdtemp(g_dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    return run("rm -rf %s", g_dir);
}

static void load(struct mem_image *m, const char *name)
{
    char path[128];
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/%s", g_dir, name);
    *m = (struct mem_image){0};
    assert_int_equal(fs_read_file(path, 64 << 20, &m->data, &size, NULL), 0);
    m->blocks = size / 4096;
}

static void find(const struct erofs *fs, const char *name, struct erofs_inode *ret)
{
    struct erofs_inode root;
    enum erofs_file_type type;
    uint64_t nid;

    assert_int_equal(erofs_inode_read(fs, fs->root_nid, &root), 0);
    assert_int_equal(erofs_lookup(fs, &root, name, strlen(name), &nid, &type), 0);
    assert_int_equal(erofs_inode_read(fs, nid, ret), 0);
}

/* What mkfs.erofs writes differs from what we write: compact inodes, shared attributes. */
static void check_foreign(const char *options)
{
    static const char value[] = "a value that is shared";
    struct mem_image m;
    struct erofs fs;
    struct erofs_inode in;
    uint8_t data[20000];
    char link[16];
    size_t n;

    assert_int_equal(
        run("mkfs.erofs --quiet %s %s/image %s/tree >/dev/null", options, g_dir, g_dir), 0);
    load(&m, "image");
    assert_int_equal(erofs_open(&fs, &mem_image_io, &m, m.blocks), 0);
    find(&fs, "f2", &in);
    assert_int_equal(in.mode, 0100640);
    assert_int_equal(erofs_read(&fs, &in, 0, data, sizeof(data), &n), 0);
    assert_int_equal(n, 10000);
    assert_int_equal(data[9999], 'x');
    assert_int_equal(erofs_xattr_get(&fs, &in, "user.k", data, sizeof(data), &n), 0);
    assert_int_equal(n, sizeof(value) - 1);
    assert_memory_equal(data, value, n);
    assert_int_equal(erofs_xattr_get(&fs, &in, "user.k", data, 3, &n), -ERANGE);
    assert_int_equal(erofs_xattr_get(&fs, &in, "user.none", data, 3, &n), -ENODATA);
    find(&fs, "link", &in);
    assert_int_equal(erofs_readlink(&fs, &in, link, sizeof(link), &n), 0);
    assert_int_equal(n, 2);
    assert_memory_equal(link, "f1", 2);
    assert_int_equal(erofs_readlink(&fs, &in, link, 1, &n), 0); /* cut, as readlink(2) does */
    assert_int_equal(n, 1);
    free(m.data);
}

static void test_erofs_reads_what_mkfs_writes(void **state)
{
    if (run("command -v mkfs.erofs >/dev/null") != 0) {
        print_message("# skipped: mkfs.erofs is not installed\n");
        skip();
    }
    assert_int_equal(run("mkdir %s/tree && cd %s/tree && for i in 1 2 3 4 5 6; do "
                         "head -c 10000 /dev/zero | tr '\\0' x >f$i; chmod 640 f$i; done; "
                         "ln -s f1 link",
                         g_dir, g_dir),
                     0);
    for (int i = 1; i <= 6; i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/tree/f%d", g_dir, i);
        if (setxattr(path, "user.k", "a value that is shared", 22, 0) < 0) {
            print_message("# skipped: no user attributes under /tmp: %s\n", strerror(errno));
            skip();
        }
    }
    check_foreign("-x1");
    check_foreign("-x100");
    check_foreign("-x1 --chunksize=4096");
    check_foreign("-x1 -Eforce-inode-extended");
    /* Compressed images are refused by name, not misread. */
    if (run("mkfs.erofs --quiet -zlz4 %s/image %s/tree >/dev/null 2>&1", g_dir, g_dir) == 0) {
        struct mem_image m;
        struct erofs fs;
        struct erofs_inode in;
        int r;

        load(&m, "image");
        r = erofs_open(&fs, &mem_image_io, &m, m.blocks);
        if (r == 0) {
            struct erofs_inode root;
            enum erofs_file_type type;
            uint64_t nid;

            assert_int_equal(erofs_inode_read(&fs, fs.root_nid, &root), 0);
            assert_int_equal(erofs_lookup(&fs, &root, "f1", 2, &nid, &type), 0);
            r = erofs_inode_read(&fs, nid, &in);
        }
        assert_int_equal(r, -EOPNOTSUPP);
        free(m.data);
    }
}

static void make_small(struct img_tree *t, struct mem_image *m)
{
    uint32_t dir;
    uint32_t file;

    assert_int_equal(img_tree_init(t, NULL), 0);
    dir = tree_add(t, IMG_ROOT, "dir", 0040755, 0);
    file = tree_add(t, dir, "file", 0100644, 5000);
    tree_add_xattr(t, file, "user.key", "value", 5);
    (void)tree_add_link(t, dir, "link", "file");
    (void)tree_add(t, IMG_ROOT, "other", 0100644, 100);
    write_image(t, m);
}

static void test_erofs_superblock_damage_is_noticed(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};
    struct erofs fs;

    make_small(&t, &m);
    for (size_t i = EROFS_SUPER_OFFSET; i < 4096; i++) { /* all of it is under the checksum */
        m.data[i] ^= 0x20;
        assert_true(erofs_open(&fs, &mem_image_io, &m, m.blocks) < 0);
        m.data[i] ^= 0x20;
    }
    assert_int_equal(erofs_open(&fs, &mem_image_io, &m, m.blocks), 0);
    assert_int_equal(erofs_open(&fs, &mem_image_io, &m, m.blocks - 1), -EUCLEAN);
    mem_image_done(&m);
}

/* Everything reachable is asked for; only errors and data may come back. */
static void walk(const struct erofs *fs, uint64_t nid, int depth)
{
    static uint8_t data[8192];
    struct erofs_inode in;
    struct erofs_entry e;
    struct erofs_xattr x;
    uint64_t pos = 0;
    uint64_t attributes = 0;
    size_t n;

    if (depth > 4 || erofs_inode_read(fs, nid, &in) < 0) {
        return;
    }
    (void)erofs_read(fs, &in, 0, data, sizeof(data), &n);
    (void)erofs_readlink(fs, &in, (char *)data, sizeof(data), &n);
    while (erofs_xattr_next(fs, &in, &attributes, &x) > 0) {
    }
    while (erofs_readdir(fs, &in, &pos, &e) > 0) {
        uint64_t found;
        enum erofs_file_type type;

        (void)erofs_lookup(fs, &in, e.name, e.name_size, &found, &type);
        if (strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0) {
            walk(fs, e.nid, depth + 1);
        }
    }
}

/* Every byte of the metadata set to awkward values; the reader asserts its own bounds. */
static void test_erofs_every_metadata_byte_may_lie(void **state)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};
    struct erofs fs;

    make_small(&t, &m);
    m.data[EROFS_SUPER_OFFSET + 8] = 0; /* no checksum, so that the rest is looked at */
    for (size_t i = EROFS_SUPER_OFFSET; i < 4096; i++) {
        const uint8_t keep = m.data[i];

        for (size_t v = 0; v < ARRAY_COUNT(values); v++) {
            m.data[i] = values[v];
            if (erofs_open(&fs, &mem_image_io, &m, m.blocks) == 0) {
                walk(&fs, fs.root_nid, 0);
            }
        }
        m.data[i] = keep;
    }
    mem_image_done(&m);
}

/* A block that cannot be fetched is its own error everywhere. */
static uint64_t g_bad_block;

static int failing_get(void *ctx, uint64_t block, const uint8_t **ret)
{
    const struct mem_image *m = ctx;

    *ret = m->data + block * 4096;
    return block == g_bad_block ? -EBADMSG : 0;
}

static void test_erofs_unreadable_block_is_passed_on(void **state)
{
    static const struct erofs_io io = {.get = failing_get};
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};
    struct erofs fs;
    struct erofs_inode in;
    struct erofs_inode dir;
    enum erofs_file_type type;
    uint64_t nid;
    uint8_t data[5000];
    size_t n;

    make_small(&t, &m);
    g_bad_block = 0;
    assert_int_equal(erofs_open(&fs, &io, &m, m.blocks), -EBADMSG);
    g_bad_block = m.blocks - 1; /* the whole block of dir/file */
    assert_int_equal(erofs_open(&fs, &io, &m, m.blocks), 0);
    find(&fs, "dir", &dir);
    assert_int_equal(erofs_lookup(&fs, &dir, "file", 4, &nid, &type), 0);
    assert_int_equal(erofs_inode_read(&fs, nid, &in), 0);
    assert_int_equal(erofs_read(&fs, &in, 0, data, 1, &n), -EBADMSG);
    assert_int_equal(erofs_read(&fs, &in, 4096, data, 5000, &n), 0); /* the tail is elsewhere */
    assert_int_equal(n, 904);
    mem_image_done(&m);
}

static void test_erofs_wrong_kinds_are_told(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};
    struct erofs fs;
    struct erofs_inode in;
    struct erofs_entry e;
    enum erofs_file_type type;
    char name[300];
    uint64_t pos = 0;
    uint64_t nid;
    size_t n;

    make_small(&t, &m);
    memset(name, 'a', sizeof(name));
    assert_int_equal(erofs_open(&fs, &mem_image_io, &m, m.blocks), 0);
    find(&fs, "other", &in);
    assert_int_equal(erofs_lookup(&fs, &in, "x", 1, &nid, &type), -ENOTDIR);
    assert_int_equal(erofs_readdir(&fs, &in, &pos, &e), -ENOTDIR);
    assert_int_equal(erofs_readlink(&fs, &in, name, sizeof(name), &n), -EINVAL);
    find(&fs, "dir", &in);
    assert_int_equal(erofs_lookup(&fs, &in, name, 256, &nid, &type), -ENAMETOOLONG);
    assert_int_equal(erofs_lookup(&fs, &in, name, 255, &nid, &type), -ENOENT);
    assert_int_equal(erofs_inode_read(&fs, UINT64_MAX, &in), -EUCLEAN);
    assert_int_equal(erofs_inode_read(&fs, m.blocks * 128, &in), -EUCLEAN);
    mem_image_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erofs_reads_what_mkfs_writes),
        cmocka_unit_test(test_erofs_superblock_damage_is_noticed),
        cmocka_unit_test(test_erofs_every_metadata_byte_may_lie),
        cmocka_unit_test(test_erofs_unreadable_block_is_passed_on),
        cmocka_unit_test(test_erofs_wrong_kinds_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
