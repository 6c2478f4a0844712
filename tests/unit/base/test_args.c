/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/args.h"

static bool g_flag;
static const char *g_string;
static struct arg_list g_list;
static uint64_t g_number;

static const struct arg_option options[] = {
    {"flag", 'f', ARG_FLAG, NULL, "a flag", &g_flag},
    {"string", 's', ARG_STRING, "TEXT", "a string", &g_string},
    {"list", 0, ARG_LIST, "ITEM", "a list", &g_list},
    {"number", 'n', ARG_U64, "N", "a number", &g_number},
    {0},
};
static const struct arg_spec spec = {
    .verb = "nacre test",
    .synopsis = "FILE",
    .options = options,
    .max_args = 2,
};

static int parse(const char **argv, size_t *count, struct error **err)
{
    int argc = 0;

    g_flag = false;
    g_string = NULL;
    g_list.count = 0;
    g_number = 0;
    while (argv[argc] != NULL) {
        argc++;
    }
    return args_parse(&spec, argc, (char **)(uintptr_t)argv, count, err);
}

static void test_args_every_kind_and_form(void **state)
{
    _cleanup_error_ struct error *err = NULL;
    const char *argv[] = {"test",     "-f", "one", "--string=a=b", "--list", "x",
                          "--list=y", "-n", "64K", "--",           "-two",   NULL};
    size_t count;

    assert_int_equal(parse(argv, &count, &err), 0);
    assert_true(g_flag);
    assert_string_equal(g_string, "a=b");
    assert_int_equal(g_list.count, 2);
    assert_string_equal(g_list.values[1], "y");
    assert_int_equal(g_number, 65536);
    assert_int_equal(count, 2);
    assert_string_equal(argv[0], "one");
    assert_string_equal(argv[1], "-two");
}

static void test_args_mistakes_are_named(void **state)
{
    static const struct {
        const char *argv[6];
        const char *want;
    } cases[] = {
        {{"test", "--strin", "x", NULL}, "did you mean --string?"},
        {{"test", "--quite-other", NULL}, "see 'nacre test --help'"},
        {{"test", "-x", NULL}, "unknown option -x"},
        {{"test", "--string", NULL}, "--string needs a value (TEXT)"},
        {{"test", "--flag=1", NULL}, "--flag takes no value"},
        {{"test", "-n", "12q", NULL}, "not '12q'"},
        {{"test", "-n", "99999999999999999999", NULL}, "--number wants a number"},
        {{"test", "a", "b", "c", NULL}, "too many arguments"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        _cleanup_error_ struct error *err = NULL;
        const char *argv[6];
        size_t count;

        memcpy(argv, cases[i].argv, sizeof(argv));
        assert_int_equal(parse(argv, &count, &err), -EINVAL);
        if (strstr(error_text(err), cases[i].want) == NULL) {
            fail_msg("'%s' lacks '%s'", error_text(err), cases[i].want);
        }
    }
}

static void test_args_parse_u64_limits(void **state)
{
    uint64_t v;

    assert_int_equal(args_parse_u64("0xffffffffffffffff", &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(args_parse_u64("16777216T", &v), -ERANGE);
    assert_int_equal(args_parse_u64("16777215T", &v), 0);
    assert_int_equal(args_parse_u64("", &v), -EINVAL);
    assert_int_equal(args_parse_u64("0x", &v), -EINVAL);
    assert_int_equal(args_parse_u64("K", &v), -EINVAL);
    assert_int_equal(args_parse_u64("1KB", &v), -EINVAL);
    assert_int_equal(args_parse_u64("-1", &v), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_args_every_kind_and_form),
        cmocka_unit_test(test_args_mistakes_are_named),
        cmocka_unit_test(test_args_parse_u64_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
