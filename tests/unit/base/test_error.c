/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>

#include "base/error.h"

static void test_error_set_and_wrap_build_one_line(void **state)
{
    _cleanup_error_ struct error *err = NULL;

    assert_int_equal(error_set(&err, EINVAL, "field %s is %d", "x", 3), -EINVAL);
    assert_string_equal(error_text(err), "field x is 3");
    assert_int_equal(error_wrap(&err, "reading %s", "file"), -EINVAL);
    assert_string_equal(error_text(err), "reading file: field x is 3");
    assert_int_equal(error_set_errno(&err, ENOENT, "cannot open y"), -ENOENT);
    assert_string_equal(error_text(err), "cannot open y: No such file or directory");
}

static void test_error_null_object_keeps_the_code(void **state)
{
    assert_int_equal(error_set(NULL, EPERM, "ignored"), -EPERM);
    assert_int_equal(error_wrap(NULL, "ignored"), 0);
    assert_string_equal(error_text(NULL), "unknown error");
    assert_null(error_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_set_and_wrap_build_one_line),
        cmocka_unit_test(test_error_null_object_keeps_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
