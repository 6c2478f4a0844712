/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include "core/path.h"

static void test_path_one_spelling_is_clean(void **state)
{
    static const char *const clean[] = {"/a", "/a/b", "/a.b/..c/.d", "/...", "/a/.../b", "/ "};
    static const char *const unclean[] = {
        "",     "/",     "a",    "a/b",   "//",     "//a",     "/a/", "/a//", "/a//b", "/.",  "/..",
        "/a/.", "/a/..", "/./a", "/../a", "/a/./b", "/a/../b", ".",   "..",   "./a",   "../a"};

    for (size_t i = 0; i < ARRAY_COUNT(clean); i++) {
        if (!path_is_clean(clean[i])) {
            fail_msg("'%s' is clean", clean[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(unclean); i++) {
        if (path_is_clean(unclean[i])) {
            fail_msg("'%s' is not clean", unclean[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_path_one_spelling_is_clean)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
