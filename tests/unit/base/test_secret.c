/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/secret.h"

static void test_new_is_zero_and_bounded(void **state)
{
    _cleanup_secret_ struct secret *s = NULL;
    struct secret *none = NULL;

    assert_int_equal(secret_new(0, &none), -EINVAL);
    assert_int_equal(secret_new(SECRET_SIZE_MAX + 1, &none), -EINVAL);
    assert_null(none);
    assert_int_equal(secret_new(4096, &s), 0); /* the NUL behind needs a page of its own */
    assert_int_equal(s->size, 4096);
    assert_int_equal(s->data[4095] | s->data[4096], 0);
    assert_null(secret_free(NULL));
}

static void test_equal_compares_size_and_bytes(void **state)
{
    _cleanup_secret_ struct secret *a = NULL;
    _cleanup_secret_ struct secret *b = NULL;

    assert_int_equal(secret_copy("abcd", 4, &a), 0);
    assert_int_equal(secret_copy("abcd", 4, &b), 0);
    assert_true(secret_equal(a, b));
    b->data[3] = 'e';
    assert_false(secret_equal(a, b));
    b->data[3] = 'd';
    secret_truncate(b, 3);
    assert_false(secret_equal(a, b));
    assert_int_equal(b->data[3], 0); /* what was cut off is gone */
    assert_string_equal((char *)b->data, "abc");
}

static void test_a_forked_child_sees_zeros(void **state)
{
    _cleanup_secret_ struct secret *s = NULL;
    int status = 0;
    pid_t pid;

    assert_int_equal(secret_copy("abcd", 4, &s), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(s->data[0] == 0 ? 7 : 8);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(s->data[0], 'a');
}

static void test_read_file_takes_exactly_the_limit(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    _cleanup_secret_ struct secret *s = NULL;
    struct secret *none = NULL;
    char path[] = "/tmp/nacre-test-secret-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(secret_read_file(path, 16, &none, &err), -EINVAL);
    assert_non_null(strstr(error_text(err), "empty"));
    assert_int_equal(fs_write_file_atomic(path, "0123456789abcdef", 16, 0600, &err), 0);
    assert_int_equal(secret_read_file(path, 16, &s, &err), 0);
    assert_int_equal(s->size, 16);
    assert_memory_equal(s->data, "0123456789abcdef", 17);
    assert_int_equal(secret_read_file(path, 15, &none, &err), -EFBIG);
    assert_non_null(strstr(error_text(err), "larger than the 15 bytes"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(secret_read_file(path, 15, &none, &err), -ENOENT);
    assert_non_null(strstr(error_text(err), path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_zero_and_bounded),
        cmocka_unit_test(test_equal_compares_size_and_bytes),
        cmocka_unit_test(test_a_forked_child_sees_zeros),
        cmocka_unit_test(test_read_file_takes_exactly_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
