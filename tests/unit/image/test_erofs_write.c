/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "image/erofs_fixture.h"
#include "image/holes.h"

static char g_dir[] = "/tmp/nacre-test-erofs-XXXXXX";
static char g_path[64];
static char g_mnt[64];

static int setup(void **state)
{
    if (mkdtemp(g_dir) == NULL) {
        return -1;
    }
    (void)snprintf(g_path, sizeof(g_path), "%s/image", g_dir);
    (void)snprintf(g_mnt, sizeof(g_mnt), "%s/mnt", g_dir);
    return mkdir(g_mnt, 0700);
}

static int teardown(void **state)
{
    return rmdir(g_mnt) | rmdir(g_dir);
}

static int run(const char *command)
{
    int status = system(command);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void save(const struct mem_image *m)
{
    assert_int_equal(fs_write_file_atomic(g_path, m->data, m->blocks * 4096, 0600, NULL), 0);
}

/* fsck.erofs --extract reads every file and directory; absent tool: said and skipped. */
static bool fsck_is_clean(void)
{
    char command[256];

    if (run("command -v fsck.erofs >/dev/null") != 0) {
        print_message("# fsck.erofs is not installed: not checked\n");
        return true;
    }
    (void)snprintf(command, sizeof(command), "fsck.erofs --extract %s >%s/log 2>&1", g_path, g_dir);
    if (run(command) != 0) {
        (void)snprintf(command, sizeof(command), "cat %s/log", g_dir);
        (void)run(command);
        return false;
    }
    (void)snprintf(command, sizeof(command), "rm -f %s/log", g_dir);
    return run(command) == 0;
}

static void compare_mounted_file(const struct img_tree *t, const struct img_inode *i, int fd)
{
    static uint8_t want[65536];
    static uint8_t got[65536];

    for (uint64_t at = 0; at < i->size; at += sizeof(got)) {
        const size_t take = (size_t)MIN((uint64_t)sizeof(got), i->size - at);

        file_pattern(t, i, at, want, take);
        assert_int_equal(pread(fd, got, take, (off_t)at), take);
        assert_memory_equal(got, want, take);
    }
}

/* Linux's own reader is the judge of what we wrote. */
static void compare_mounted(const struct img_tree *t)
{
    for (uint32_t e = IMG_ROOT; e != IMG_NONE; e = img_tree_next(t, e)) {
        const struct img_inode *i = img_inode_of(t, e);
        _cleanup_free_ char *rel = img_tree_path(t, e);
        char path[8192];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/%s", g_mnt, rel);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode, i->mode);
        assert_int_equal(st.st_uid, i->uid);
        assert_int_equal(st.st_gid, i->gid);
        assert_int_equal(st.st_nlink, i->links);
        assert_int_equal(st.st_mtim.tv_sec, i->mtime);
        assert_int_equal(st.st_mtim.tv_nsec, i->mtime_nsec);
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
            assert_int_equal(major(st.st_rdev), erofs_rdev_major(i->rdev));
            assert_int_equal(minor(st.st_rdev), erofs_rdev_minor(i->rdev));
        } else if (S_ISREG(st.st_mode)) {
            _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

            assert_true(fd >= 0);
            assert_int_equal(st.st_size, i->size);
            compare_mounted_file(t, i, fd);
        } else if (S_ISLNK(st.st_mode)) {
            char target[4097];

            assert_int_equal(readlink(path, target, sizeof(target)), i->size);
            assert_memory_equal(target, t->arena + i->target, i->size);
        }
        if (i->xattrs != IMG_NONE && S_ISREG(st.st_mode)) {
            char value[65536];

            assert_int_equal(lgetxattr(path, "user.key", value, sizeof(value)), 5);
            assert_memory_equal(value, "value", 5);
        }
    }
}

static void check_with_kernel(const struct img_tree *t)
{
    char command[256];

    (void)snprintf(command, sizeof(command), "mount -t erofs -o loop,ro %s %s 2>%s/log", g_path,
                   g_mnt, g_dir);
    if (geteuid() != 0 || run("grep -qw erofs /proc/filesystems") != 0 || run(command) != 0) {
        print_message("# the kernel's reader was not asked: no root, no erofs or no loop device\n");
        (void)snprintf(command, sizeof(command), "rm -f %s/log", g_dir);
        assert_int_equal(run(command), 0);
        return;
    }
    compare_mounted(t);
    (void)snprintf(command, sizeof(command), "umount %s && rm -f %s/log", g_mnt, g_dir);
    assert_int_equal(run(command), 0);
}

/* Sizes on both sides of every border of the layout. */
static void add_sizes(struct img_tree *t, uint32_t dir)
{
    static const uint32_t sizes[] = {0,     1,     2047,  2048,   2049,   4031,   4032,
                                     4033,  4095,  4096,  4097,   6144,   6145,   8192,
                                     12288, 65536, 65537, 262144, 262145, 300000, 1000003};
    char name[32];

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        (void)snprintf(name, sizeof(name), "size-%u", sizes[i]);
        (void)tree_add(t, dir, name, 0100640, sizes[i]);
    }
}

static void add_sparse(struct img_tree *t, uint32_t dir, const char *name, uint64_t size,
                       unsigned every)
{
    _cleanup_img_holes_ struct img_holes h = {0};
    uint8_t block[4096];
    uint32_t entry = tree_add(t, dir, name, 0100600, size);

    memset(block, 1, sizeof(block));
    assert_int_equal(img_holes_begin(&h, size, NULL), 0);
    for (uint64_t at = 0; at < size; at += 4096) {
        img_holes_data(&h, every != 0 && at / 4096 % every == 1 ? block : NULL, 4096);
    }
    assert_int_equal(img_holes_end(&h, t, img_entry_at(t, entry)->inode, NULL), 0);
    assert_int_not_equal(img_inode_of(t, entry)->holes, IMG_NONE);
}

static void add_names(struct img_tree *t, uint32_t dir)
{
    char long_name[256];
    char target[4096];

    memset(long_name, 'n', 255);
    long_name[255] = '\0';
    (void)tree_add(t, dir, long_name, 0100644, 10);
    long_name[254] = '\xff';
    (void)tree_add(t, dir, long_name, 0040755, 0);
    (void)tree_add(t, dir, "!before the dots", 0100644, 3);
    (void)tree_add(t, dir, "-also", 0100644, 3);
    (void)tree_add(t, dir, "...", 0100644, 3);
    (void)tree_add(t, dir, ".hidden", 0100644, 3);
    (void)tree_add(t, dir, "caf\xe9 \xf0 not UTF-8 \x01\n", 0100644, 3);
    (void)tree_add_link(t, dir, "link", "target with spaces");
    memset(target, 't', 4095);
    target[4095] = '\0';
    (void)tree_add_link(t, dir, "long-link", target);
    target[4000] = '\0';
    (void)tree_add_link(t, dir, "inline-link", target);
    (void)tree_add(t, dir, "char", 0020666, 0);
    (void)tree_add(t, dir, "block", 0060600, 0);
    (void)tree_add(t, dir, "fifo", 0010644, 0);
    (void)tree_add(t, dir, "socket", 0140755, 0);
    (void)tree_add(t, dir, "setuid", 0104755, 3);
    (void)tree_add(t, dir, "sticky", 0041777, 0);
}

static void add_hard_links_and_xattrs(struct img_tree *t, uint32_t dir)
{
    static uint8_t big[20000];
    static const uint8_t acl[] = {2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 4,   0,
                                  4, 0, 255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};
    uint32_t other = tree_add(t, dir, "other", 0040700, 0);
    uint32_t file = tree_add(t, dir, "linked", 0100644, 5000);
    uint32_t unused;

    assert_int_equal(
        img_tree_link(t, other, "same", 4, img_entry_at(t, file)->inode, 1, &unused, NULL), 0);
    assert_int_equal(
        img_tree_link(t, dir, "again", 5, img_entry_at(t, file)->inode, 1, &unused, NULL), 0);
    tree_add_xattr(t, file, "user.key", "value", 5);
    file = tree_add(t, dir, "much", 0100644, 100);
    memset(big, 'b', sizeof(big));
    tree_add_xattr(t, file, "user.key", "value", 5);
    tree_add_xattr(t, file, "security.capability", "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    tree_add_xattr(t, file, "trusted.big", big, sizeof(big));
    tree_add_xattr(t, file, "system.posix_acl_access", acl, sizeof(acl));
    tree_add_xattr(t, file, "user.empty", "", 0);
    tree_add_xattr(t, other, "user.on-a-directory", "x", 1);
}

static void make_zoo(struct img_tree *t)
{
    uint32_t dir;

    assert_int_equal(img_tree_init(t, NULL), 0);
    dir = tree_add(t, IMG_ROOT, "sizes", 0040755, 0);
    add_sizes(t, dir);
    add_names(t, tree_add(t, IMG_ROOT, "names", 0040711, 0));
    add_hard_links_and_xattrs(t, tree_add(t, IMG_ROOT, "links", 0040755, 0));
    add_sparse(t, IMG_ROOT, "holes-only", 1 << 20, 0);
    add_sparse(t, IMG_ROOT, "holes", (1 << 20) + 77, 5);
    dir = tree_add(t, IMG_ROOT, "many", 0040755, 0);
    for (int i = 0; i < 3000; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "file-%d", i * 7919);
        (void)tree_add(t, dir, name, 0100644, (uint64_t)(i % 50));
    }
}

static void test_erofs_write_zoo_reads_back_and_satisfies_fsck_and_kernel(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};

    make_zoo(&t);
    write_image(&t, &m);
    compare_image(&t, &m);
    save(&m);
    assert_true(fsck_is_clean());
    check_with_kernel(&t);
    assert_int_equal(unlink(g_path), 0);
    mem_image_done(&m);
}

static void test_erofs_write_empty_image_is_one_directory(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    struct mem_image m = {0};

    assert_int_equal(img_tree_init(&t, NULL), 0);
    write_image(&t, &m);
    assert_int_equal(m.blocks, 1);
    compare_image(&t, &m);
    save(&m);
    assert_true(fsck_is_clean());
    assert_int_equal(unlink(g_path), 0);
    mem_image_done(&m);
}

/* Sibling order, slot reuse and the hash seed must not show in the bits. */
static void test_erofs_write_same_content_in_another_order_gives_the_same_bits(void **state)
{
    struct mem_image m[2] = {{0}, {0}};

    for (int round = 0; round < 2; round++) {
        _cleanup_img_tree_ struct img_tree t = {0};
        static const char *const names[] = {"a", "b", "c", "d"};

        assert_int_equal(img_tree_init(&t, NULL), 0);
        if (round == 1) {
            img_tree_unlink(&t, tree_add(&t, IMG_ROOT, "gone", 0040755, 0));
        }
        for (int i = 0; i < 4; i++) {
            const int n = round == 0 ? i : 3 - i;
            struct img_inode *in =
                img_inode_of(&t, tree_add(&t, IMG_ROOT, names[n], 0100644, 5000));

            in->uid = in->gid = 0;
            in->mtime = 5;
            in->mtime_nsec = 0;
            in->source = (uint32_t)n;
        }
        write_image(&t, &m[round]);
    }
    assert_int_equal(m[0].blocks, m[1].blocks);
    assert_memory_equal(m[0].data, m[1].data, m[0].blocks * 4096);
    mem_image_done(&m[0]);
    mem_image_done(&m[1]);
}

static void test_erofs_plan_layout_digest_changes_with_any_metadata(void **state)
{
    uint8_t digest[6][32];

    for (int n = 0; n < 6; n++) {
        _cleanup_img_tree_ struct img_tree t = {0};
        _cleanup_erofs_plan_ struct erofs_plan p = {0};
        uint32_t file;

        assert_int_equal(img_tree_init(&t, NULL), 0);
        file = tree_add(&t, IMG_ROOT, n == 1 ? "g" : "f", 0100644, n == 2 ? 101 : 100);
        img_inode_of(&t, file)->mtime = n == 3 ? 1 : 2;
        (void)tree_add_link(&t, IMG_ROOT, "l", n == 4 ? "there" : "here!");
        if (n == 5) {
            tree_add_xattr(&t, file, "user.a", "b", 1);
        }
        assert_int_equal(erofs_plan_make(&t, &p, NULL), 0);
        memcpy(digest[n], p.layout, 32);
        for (int o = 0; o < n; o++) {
            assert_memory_not_equal(digest[o], digest[n], 32);
        }
    }
}

static void test_erofs_write_wrong_amount_of_data_is_refused(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_erofs_plan_ struct erofs_plan plan = {0};
    _cleanup_erofs_writer_ struct erofs_writer *w = NULL;
    _cleanup_error_ struct error *err = NULL;
    uint8_t data[101] = {0};
    uint8_t store[4096 * 8];
    uint8_t written[8] = {0};
    struct mem_image m = {.data = store, .written = written, .blocks = 8};

    assert_int_equal(img_tree_init(&t, NULL), 0);
    (void)tree_add(&t, IMG_ROOT, "f", 0100644, 100);
    assert_int_equal(erofs_plan_make(&t, &plan, NULL), 0);
    assert_int_equal(erofs_writer_new(&plan, mem_image_sink(&m), &w, NULL), 0);
    assert_int_equal(erofs_writer_data(w, data, 101, &err), -EBADMSG);
    assert_non_null(strstr(error_text(err), "more than the 100 bytes"));
    assert_int_equal(erofs_writer_data(w, data, 99, &err), 0);
    assert_int_equal(erofs_writer_file_done(w, &err), -EBADMSG);
    assert_non_null(strstr(error_text(err), "after 99 of its 100"));
    assert_int_equal(erofs_writer_finish(w, &err), -EINVAL);
    assert_int_equal(erofs_writer_data(w, data, 1, &err), 0);
    assert_int_equal(erofs_writer_file_done(w, &err), 0);
    assert_int_equal(erofs_writer_data(w, data, 1, &err), -EINVAL);
    assert_int_equal(erofs_writer_finish(w, &err), 0);
}

static void test_erofs_write_every_failing_put_is_reported(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_erofs_plan_ struct erofs_plan plan = {0};
    static uint8_t data[1000000];
    struct mem_image m = {0};
    bool failed = true;

    assert_int_equal(img_tree_init(&t, NULL), 0);
    (void)tree_add(&t, IMG_ROOT, "f", 0100644, sizeof(data));
    assert_int_equal(erofs_plan_make(&t, &plan, NULL), 0);
    m.blocks = plan.block_count;
    m.data = calloc(m.blocks, 4096);
    m.written = calloc(m.blocks, 1);
    for (uint64_t n = 1; failed; n++) {
        _cleanup_erofs_writer_ struct erofs_writer *w = NULL;
        int r;

        m.puts = 0;
        m.fail_at = n;
        r = erofs_writer_new(&plan, mem_image_sink(&m), &w, NULL);
        r = r < 0 ? r : erofs_writer_data(w, data, sizeof(data), NULL);
        r = r < 0 ? r : erofs_writer_file_done(w, NULL);
        r = r < 0 ? r : erofs_writer_finish(w, NULL);
        failed = m.puts >= n;
        assert_int_equal(r, failed ? -ENOSPC : 0);
    }
    mem_image_done(&m);
}

static void test_holes_small_gain_keeps_the_file_flat(void **state)
{
    _cleanup_img_tree_ struct img_tree t = {0};
    _cleanup_img_holes_ struct img_holes h = {0};
    static uint8_t data[256 * 1024];
    uint32_t entry;

    memset(data, 7, sizeof(data));
    memset(data + 8192, 0, 4096); /* one empty chunk of 64: not worth a map */
    assert_int_equal(img_tree_init(&t, NULL), 0);
    entry = tree_add(&t, IMG_ROOT, "f", 0100644, sizeof(data));
    assert_int_equal(img_holes_begin(&h, sizeof(data), NULL), 0);
    img_holes_data(&h, data, sizeof(data));
    assert_int_equal(h.present, 63);
    assert_int_equal(img_holes_end(&h, &t, img_entry_at(&t, entry)->inode, NULL), 0);
    assert_int_equal(img_inode_of(&t, entry)->holes, IMG_NONE);
    assert_int_equal(img_chunk_bits(64ull << 20), 0);
    assert_int_equal(img_chunk_bits((64ull << 20) + 1), 1);
    assert_int_equal(img_chunk_bits(2ull << 30), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_erofs_write_zoo_reads_back_and_satisfies_fsck_and_kernel),
        cmocka_unit_test(test_erofs_write_empty_image_is_one_directory),
        cmocka_unit_test(test_erofs_write_same_content_in_another_order_gives_the_same_bits),
        cmocka_unit_test(test_erofs_plan_layout_digest_changes_with_any_metadata),
        cmocka_unit_test(test_erofs_write_wrong_amount_of_data_is_refused),
        cmocka_unit_test(test_erofs_write_every_failing_put_is_reported),
        cmocka_unit_test(test_holes_small_gain_keeps_the_file_flat),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
