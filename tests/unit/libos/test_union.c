/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Two trees as one, under an overlay; and files put into a tree. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "libos/fs/dentry.h"
#include "libos/fs/dirindex.h"
#include "libos/fs/file.h"
#include "libos/fs/hostfs/hostfs.h"
#include "libos/fs/memfs/memfs.h"
#include "libos/fs/overlay/overlay.h"
#include "libos/fs/union/union.h"
#include "unit/libos/call.h"
#include "unit/libos/fake_host.h"
#include "unit/libos/fake_kernel.h"
#include "unit/unit.h"

#include <asm/stat.h>

static char g_host[64];

static const char *const g_host_files[] = {"both/name", "both/below", "only", "file-above/x",
                                           "dir-above"};

static void host_path(const char *name, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%s/%s", g_host, name);
}

static int setup_all(void **state)
{
    char path[128];

    (void)snprintf(g_host, sizeof(g_host), "/tmp/nacre-test-union-XXXXXX");
    assert_non_null(mkdtemp(g_host));
    host_path("both", path, sizeof(path));
    assert_int_equal(syscall(SYS_mkdir, path, 0755), 0);
    host_path("file-above", path, sizeof(path));
    assert_int_equal(syscall(SYS_mkdir, path, 0755), 0);
    for (size_t i = 0; i < ARRAY_COUNT(g_host_files); i++) {
        host_path(g_host_files[i], path, sizeof(path));
        assert_int_equal(fs_write_file_atomic(path, "host", 4, 0644, NULL), 0);
    }
    return 0;
}

static int teardown_all(void **state)
{
    char path[128];

    for (size_t i = 0; i < ARRAY_COUNT(g_host_files); i++) {
        host_path(g_host_files[i], path, sizeof(path));
        (void)unlink(path);
    }
    host_path("both", path, sizeof(path));
    (void)rmdir(path);
    host_path("file-above", path, sizeof(path));
    (void)rmdir(path);
    return rmdir(g_host);
}

static int setup(void **state)
{
    fake_boot(-1, 1);
    return 0;
}

static int teardown(void **state)
{
    fake_alloc_fail_at(0);
    fake_shutdown();
    return 0;
}

static int add(struct inode *dir, const char *name, uint32_t mode, const char *text,
               struct inode **ret)
{
    const struct qstr q = qstr_make(name, strlen(name));
    struct inode *inode = NULL;
    int r;

    ns_lock();
    r = dir->ops->create(dir, &q, &(struct inode_new){.mode = mode}, &inode);
    ns_unlock();
    if (r == 0 && text != NULL) {
        uint64_t at = 0;
        struct iter it;

        iter_init_kernel(&it, text, strlen(text));
        r = inode->ops->write(inode, &it, &at, false) == (int64_t)strlen(text) ? 0 : -ENOMEM;
    }
    if (r == 0 && ret != NULL) {
        *ret = inode;
    } else {
        inode_put(inode);
    }
    return r;
}

/* both/name, both/above, file-above (a file), dir-above/in */
static int fill(struct superblock *sb)
{
    struct inode *dir = NULL;
    int r = add(sb->root, "both", S_IFDIR | 0755, NULL, &dir);

    if (r == 0) {
        r = add(dir, "name", S_IFREG | 0644, "above", NULL);
        r = r < 0 ? r : add(dir, "above", S_IFREG | 0644, "above", NULL);
        inode_put(dir);
    }
    r = r < 0 ? r : add(sb->root, "file-above", S_IFREG | 0644, "above", NULL);
    r = r < 0 ? r : add(sb->root, "dir-above", S_IFDIR | 0755, NULL, &dir);
    if (r == 0) {
        r = add(dir, "in", S_IFREG | 0644, "above", NULL);
        inode_put(dir);
    }
    return r;
}

/* The union of both at /u; with an overlay it can be written to. */
static int mount_union(bool overlay)
{
    struct superblock *above = NULL;
    struct superblock *below = NULL;
    struct superblock *sb = NULL;
    int fd = (int)syscall(SYS_openat, -100, g_host, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int r = memfs_create(&(struct memfs_options){.mode = 0755}, &above);

    r = r < 0 ? r : fill(above);
    if (r == 0) {
        r = hostfs_create(fd, false, &below);
    }
    if (below == NULL) {
        (void)close(fd);
    }
    r = r < 0 ? r : union_create(above, below, &sb);
    if (r < 0) {
        if (above != NULL) {
            super_free(above);
        }
        if (below != NULL) {
            super_free(below);
        }
        return r;
    }
    above = sb;
    r = overlay ? overlay_create(above, &sb) : 0;
    r = r < 0 ? r : fs_mount_on("/u", sb, 0, "union");
    if (r < 0) {
        super_free(sb);
    }
    return r;
}

static const char *text_of(const char *path)
{
    static char text[64];
    int64_t fd = SYS(open, path, O_RDONLY, 0);
    int64_t n;

    if (fd < 0) {
        return fd == -ENOENT ? "absent" : fd == -ENOTDIR ? "not a directory" : "error";
    }
    n = SYS(read, fd, text, sizeof(text) - 1);
    text[n < 0 ? 0 : n] = '\0';
    (void)SYS(close, fd);
    return text;
}

static size_t count_names(const char *path)
{
    uint8_t buf[4096];
    int64_t fd = SYS(open, path, O_RDONLY | O_DIRECTORY, 0);
    int64_t n = SYS(getdents64, fd, buf, sizeof(buf));
    size_t count = 0;

    for (int64_t at = 0; at < n;) {
        uint16_t len;

        memcpy(&len, buf + at + 16, 2);
        at += len;
        count++;
    }
    (void)SYS(close, fd);
    return count;
}

static void test_above_wins_and_names_are_those_of_both(void **state)
{
    assert_int_equal(mount_union(false), 0);
    assert_string_equal(text_of("/u/both/name"), "above");
    assert_string_equal(text_of("/u/both/above"), "above");
    assert_string_equal(text_of("/u/both/below"), "host");
    assert_string_equal(text_of("/u/only"), "host");
    assert_string_equal(text_of("/u/file-above"), "above");
    assert_string_equal(text_of("/u/file-above/x"), "not a directory");
    assert_string_equal(text_of("/u/dir-above/in"), "above");
    assert_string_equal(text_of("/u/nothing"), "absent");
    assert_int_equal(count_names("/u/both"), 2 + 3);
    assert_int_equal(count_names("/u"), 2 + 4);
    assert_int_equal(SYS(open, "/u/both/new", O_WRONLY | O_CREAT, 0600), -EROFS);
}

static void test_an_overlay_above_it_keeps_changes_to_itself(void **state)
{
    int64_t fd;
    char path[128];

    assert_int_equal(mount_union(true), 0);
    fd = SYS(open, "/u/both/below", O_WRONLY | O_TRUNC, 0);
    assert_true(fd >= 0);
    assert_int_equal(SYS(write, fd, "ours", 4), 4);
    assert_int_equal(SYS(close, fd), 0);
    assert_string_equal(text_of("/u/both/below"), "ours");
    assert_int_equal(SYS(unlink, "/u/both/name"), 0);
    assert_string_equal(text_of("/u/both/name"), "absent"); /* not the host's */
    assert_int_equal(count_names("/u/both"), 2 + 2);
    host_path("both/name", path, sizeof(path));
    assert_int_equal(access(path, R_OK), 0);
}

/* The last reference of an inode goes while another thread looks its name up: that one gets an
 * inode of its own, not one that is on its way out. Leaves what it made to `dir`. */
static void dies_while_looked_up(struct inode *dir, const char *name)
{
    const struct qstr q = qstr_make(name, strlen(name));
    struct inode *dying = NULL;
    struct inode *found = NULL;

    ns_lock();
    assert_int_equal(dir->ops->lookup(dir, &q, &dying), 0);
    assert_true(ref_put(&dying->refs)); /* inode_put, before it comes to evict() */
    assert_int_equal(dir->ops->lookup(dir, &q, &found), 0);
    assert_ptr_not_equal(found, dying);
    dying->ops->evict(dying);
    assert_int_equal(found->refs.count, 1);
    dying = NULL;
    assert_int_equal(dir->ops->lookup(dir, &q, &dying), 0);
    assert_ptr_equal(dying, found); /* the new one is the one that is known */
    ns_unlock();
    inode_put(dying);
    inode_put(found);
}

static void test_inodes_that_die_while_they_are_looked_up(void **state)
{
    struct superblock *above = NULL;
    struct superblock *below = NULL;
    struct superblock *both = NULL;
    struct superblock *top = NULL;
    const int fd = (int)syscall(SYS_openat, -100, g_host, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    assert_int_equal(memfs_create(&(struct memfs_options){.mode = 0755}, &above), 0);
    assert_int_equal(hostfs_create(fd, false, &below), 0);
    dies_while_looked_up(below->root, "only");
    assert_int_equal(union_create(above, below, &both), 0);
    dies_while_looked_up(both->root, "only");
    assert_int_equal(overlay_create(both, &top), 0);
    dies_while_looked_up(top->root, "only");
    super_free(top);
}

/* What cannot be had is an error, nothing is lost or used twice, and it works afterwards. */
static void test_allocations_that_fail(void **state)
{
    uint64_t needed = 0;

    for (uint64_t n = 1;; n++) {
        fake_alloc_fail_at(n);
        int r = mount_union(true);
        const char *text = r == 0 ? text_of("/u/both/below") : "";
        const size_t names = r == 0 ? count_names("/u/both") : 0;

        needed = fake_alloc_count();
        fake_alloc_fail_at(0);
        if (r == 0 && n > needed) {
            assert_string_equal(text, "host");
            assert_int_equal(names, 2 + 3);
            break;
        }
        if (r == 0) { /* the failure came later: nothing wrong was said */
            assert_true(strcmp(text, "host") == 0 || strcmp(text, "error") == 0 || *text == '\0');
        } else {
            assert_int_equal(r, -ENOMEM);
        }
        fake_shutdown();
        fake_boot(-1, 1);
        assert_true(n < 1000);
    }
}

static void test_injected_files(void **state)
{
    struct stat st;
    char target[32];

    assert_int_equal(fs_inject("/a/b/c", 0640, 5, 6, "secret", 6), 0);
    assert_string_equal(text_of("/a/b/c"), "secret");
    assert_int_equal(SYS(stat, "/a/b/c", &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(st.st_uid, 5);
    assert_int_equal(st.st_gid, 6);
    assert_int_equal(SYS(stat, "/a/b", &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0755);
    /* in place of what is there, and not through a link at the end */
    assert_int_equal(SYS(symlink, "/a/b/c", "/link"), 0);
    assert_int_equal(fs_inject("/link", 04755, 0, 0, "x", 1), 0);
    assert_string_equal(text_of("/a/b/c"), "secret");
    assert_string_equal(text_of("/link"), "x");
    assert_int_equal(SYS(readlink, "/link", target, sizeof(target)), -EINVAL);
    assert_int_equal(SYS(stat, "/link", &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 04755);
    assert_int_equal(fs_inject("/a/b/c", 0600, 0, 0, "", 0), 0);
    assert_string_equal(text_of("/a/b/c"), "");
    assert_int_equal(fs_inject("/a/b", 0600, 0, 0, "x", 1), -EISDIR);
    assert_int_equal(fs_inject("/link/below", 0600, 0, 0, "x", 1), -ENOTDIR);
    assert_true(fs_inject("/proc/x", 0600, 0, 0, "x", 1) < 0);
}

static void test_injection_without_memory(void **state)
{
    for (uint64_t n = 1;; n++) {
        fake_alloc_fail_at(n);
        int r = fs_inject("/d/e/f", 0600, 0, 0, "content", 7);
        const uint64_t needed = fake_alloc_count();

        fake_alloc_fail_at(0);
        if (r == 0 && n > needed) {
            break;
        }
        assert_true(r == 0 || r == -ENOMEM || r == -ENOSPC);
        assert_true(n < 200);
    }
    assert_string_equal(text_of("/d/e/f"), "content");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_above_wins_and_names_are_those_of_both, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_overlay_above_it_keeps_changes_to_itself, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_inodes_that_die_while_they_are_looked_up, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_allocations_that_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_injected_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_injection_without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
