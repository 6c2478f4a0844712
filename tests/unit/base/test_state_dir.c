/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/state_dir.h"

static char g_dir[] = "/tmp/nacre-test-state-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", g_dir, name);
    return path;
}

static void test_path_follows_the_environment(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *given = NULL;
    _cleanup_free_ char *found = NULL;
    char *none = NULL;

    assert_int_equal(setenv(STATE_DIR_ENV, "/some/where", 1), 0);
    assert_int_equal(state_dir_path(&given, &err), 0);
    assert_string_equal(given, "/some/where");
    assert_int_equal(setenv(STATE_DIR_ENV, "relative", 1), 0);
    assert_int_equal(state_dir_path(&none, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "absolute"));
    assert_int_equal(setenv(STATE_DIR_ENV, "", 1), 0);
    assert_int_equal(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
    assert_int_equal(state_dir_path(&found, &err), 0);
    assert_string_equal(found, geteuid() == 0 ? "/var/lib/nacre" : "/xdg/nacre");
}

static void test_make_builds_private_directories(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *path = NULL;
    _cleanup_free_ char *again = NULL;
    struct stat st;

    assert_int_equal(setenv(STATE_DIR_ENV, in_dir("a/b"), 1), 0);
    assert_int_equal(state_dir_make("keys", &path, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(state_dir_make("keys", &again, &err), 0);
    assert_string_equal(path, again);
    assert_int_equal(rmdir(in_dir("a/b/keys")), 0);
    assert_int_equal(rmdir(in_dir("a/b")), 0);
    assert_int_equal(rmdir(in_dir("a")), 0);
}

static void test_make_refuses_directories_open_to_others(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    char *none = NULL;

    assert_int_equal(setenv(STATE_DIR_ENV, g_dir, 1), 0);
    assert_int_equal(mkdir(in_dir("keys"), 0700), 0);
    assert_int_equal(chmod(in_dir("keys"), 0750), 0);
    assert_int_equal(state_dir_make("keys", &none, &err), -EPERM);
    assert_non_null(strstr(error_text(err), "chmod 700"));
    assert_int_equal(chmod(in_dir("keys"), 0700), 0);
    assert_int_equal(chmod(g_dir, 0777), 0);
    assert_int_equal(state_dir_make("keys", &none, &err), -EPERM);
    assert_int_equal(chmod(g_dir, 0700), 0);
    assert_int_equal(rmdir(in_dir("keys")), 0);
    assert_int_equal(symlink("/tmp", in_dir("keys")), 0);
    assert_int_equal(state_dir_make("keys", &none, &err), -ENOTDIR);
    assert_int_equal(unlink(in_dir("keys")), 0);
    assert_int_equal(close(open(in_dir("keys"), O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(state_dir_make("keys", &none, &err), -ENOTDIR);
    assert_int_equal(unlink(in_dir("keys")), 0);
    assert_null(none);
}

static void test_lock_is_exclusive_until_closed(void **state)
{
    int fd = -1;
    int other;

    assert_int_equal(state_dir_lock(g_dir, &fd, NULL), 0);
    other = open(in_dir(".lock"), O_RDWR | O_CLOEXEC);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(close(other), 0);
    assert_int_equal(unlink(in_dir(".lock")), 0);
}

static int setup(void **state)
{
    return mkdtemp(g_dir) == NULL ? -ENOENT : 0;
}

static int teardown(void **state)
{
    return rmdir(g_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_follows_the_environment),
        cmocka_unit_test(test_make_builds_private_directories),
        cmocka_unit_test(test_make_refuses_directories_open_to_others),
        cmocka_unit_test(test_lock_is_exclusive_until_closed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
