/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

static char g_dir[] = "/tmp/nacre-test-fs-XXXXXX";

static int setup(void **state)
{
    return mkdtemp(g_dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    return rmdir(g_dir);
}

static void test_fs_write_then_read_returns_the_bytes_and_mode(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    char path[128];
    struct stat st;
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/file", g_dir);
    assert_int_equal(fs_write_file_atomic(path, "one", 3, 0644, &err), 0);
    assert_int_equal(fs_write_file_atomic(path, "secret", 6, 0600, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fs_read_file(path, 6, &data, &size, &err), 0);
    assert_int_equal(size, 6);
    assert_string_equal((char *)data, "secret");
    assert_int_equal(fs_read_file(path, 5, &data, &size, &err), -EFBIG);
    assert_non_null(strstr(error_text(err), "larger than the 5 bytes"));
    assert_int_equal(unlink(path), 0);
}

static void test_fs_missing_file_and_directory_say_which(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    uint8_t *data;
    size_t size;

    assert_int_equal(fs_read_file("/nonexistent/x", 10, &data, &size, &err), -ENOENT);
    assert_non_null(strstr(error_text(err), "/nonexistent/x"));
    assert_int_equal(fs_write_file_atomic("/nonexistent/x", "", 0, 0600, &err), -ENOENT);
    assert_non_null(strstr(error_text(err), "/nonexistent/x"));
}

static void test_fs_write_new_never_replaces(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    char path[128];
    size_t size;

    (void)snprintf(path, sizeof(path), "%s/new", g_dir);
    assert_int_equal(fs_write_file_new(path, "one", 3, 0600, &err), 0);
    assert_int_equal(fs_write_file_new(path, "two", 3, 0600, &err), -EEXIST);
    assert_int_equal(fs_read_file(path, 6, &data, &size, &err), 0);
    assert_string_equal((char *)data, "one");
    assert_int_equal(unlink(path), 0); /* rmdir in teardown fails if a temporary file stayed */
}

/* As root, a file put in the place of /dev/null would take it from everybody. */
static void test_fs_write_to_a_device_leaves_it_there(void **state)
{
    char path[] = "/tmp/nacre-fs-XXXXXX";
    char fifo[sizeof(path) + 8];
    char got[8] = {0};
    struct stat st;
    int fd;

    assert_non_null(mkdtemp(path));
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fs_write_file_atomic(fifo, "bytes", 5, 0600, NULL), 0);
    assert_int_equal(read(fd, got, sizeof(got)), 5);
    assert_memory_equal(got, "bytes", 5);
    assert_int_equal(lstat(fifo, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_int_equal(fs_write_file_new(fifo, "bytes", 5, 0600, NULL), -EEXIST);
    (void)close(fd);
    (void)unlink(fifo);
    (void)rmdir(path);
    assert_int_equal(fs_write_file_atomic("/dev/full", "bytes", 5, 0600, NULL), -ENOSPC);
    assert_int_equal(stat("/dev/full", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void test_fs_map_file_shows_its_bytes_and_refuses_what_is_none(void **state)
{
    _cleanup_fs_mapping_ struct fs_mapping m = {};
    _cleanup_error_ struct error *err = NULL;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/mapped", g_dir);
    assert_int_equal(fs_write_file_new(path, "mapped", 6, 0600, &err), 0);
    assert_int_equal(fs_map_file(path, 5, &m, &err), -EFBIG);
    assert_null(m.data);
    assert_int_equal(fs_map_file(path, 6, &m, &err), 0);
    assert_int_equal(m.size, 6);
    assert_memory_equal(m.data, "mapped", 6);
    fs_unmap(&m);
    assert_null(m.data);
    assert_int_equal(fs_map_file(g_dir, 6, &m, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "not a regular file"));
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(fs_map_file(path, 6, &m, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "empty"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(fs_map_file(path, 6, &m, &err), -ENOENT);
}

/* A name below g_dir. */
static const char *in_dir(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", g_dir, name);
    return path;
}

static void test_fs_remove_tree_takes_all_and_follows_no_link(void **state)
{
    char outside[] = "/tmp/nacre-fs-XXXXXX";
    char kept[sizeof(outside) + 8];

    assert_int_equal(fs_remove_tree(in_dir("none")), 0);
    assert_non_null(mkdtemp(outside));
    (void)snprintf(kept, sizeof(kept), "%s/kept", outside);
    assert_int_equal(fs_write_file_new(kept, "kept", 4, 0600, NULL), 0);
    assert_int_equal(mkdir(in_dir("tree"), 0700), 0);
    assert_int_equal(mkdir(in_dir("tree/closed"), 0700), 0);
    assert_int_equal(fs_write_file_new(in_dir("tree/closed/file"), "x", 1, 0, NULL), 0);
    assert_int_equal(symlink(outside, in_dir("tree/link")), 0);
    assert_int_equal(chmod(in_dir("tree/closed"), 0), 0);
    assert_int_equal(fs_remove_tree(in_dir("tree")), 0);
    assert_int_equal(access(in_dir("tree"), F_OK), -1);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(symlink(outside, in_dir("link")), 0);
    assert_int_equal(fs_remove_tree(in_dir("link")), 0);
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(fs_remove_tree(outside), 0);
    assert_int_equal(access(outside, F_OK), -1);
}

static void test_fs_remove_tree_says_what_stayed(void **state)
{
    assert_true(fs_remove_tree("/proc/self/status") < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fs_write_then_read_returns_the_bytes_and_mode),
        cmocka_unit_test(test_fs_write_new_never_replaces),
        cmocka_unit_test(test_fs_write_to_a_device_leaves_it_there),
        cmocka_unit_test(test_fs_map_file_shows_its_bytes_and_refuses_what_is_none),
        cmocka_unit_test(test_fs_remove_tree_takes_all_and_follows_no_link),
        cmocka_unit_test(test_fs_remove_tree_says_what_stayed),
        cmocka_unit_test(test_fs_missing_file_and_directory_say_which),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
