/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "libos/lib/errno_name.h"
#include "libos/lib/strbuild.h"
#include "libos/libos.h"

/* The same directive through both printfs. */
#define SAME(...)                                                    \
    do {                                                             \
        char ours[256];                                              \
        char theirs[256];                                            \
        const int a = kprintf(ours, sizeof(ours), __VA_ARGS__);      \
        const int b = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
        assert_int_equal(a, b);                                      \
        assert_string_equal(ours, theirs);                           \
    } while (0)

static void test_kprintf_same_as_libc(void **state)
{
    SAME("plain %% text");
    SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%ld %ld", LONG_MIN, LONG_MAX);
    SAME("%u %lu %zu", UINT_MAX, ULONG_MAX, (size_t)42);
    SAME("%x %lx %08x %016lx", 0xabcu, 0xfedcba9876543210ul, 0x1fu, 0x1ful);
    SAME("%5d|%-5d|%05d|", 42, 42, 42);
    SAME("%5d|%-6d|%06d|", -42, -42, -42);
    SAME("%s|%10s|%-10s|%.2s|%.*s|", "abc", "abc", "abc", "abc", 1, "xyz");
    SAME("%c%c", 'a', 'b');
    SAME("%o %o", 0u, 0755u);
    SAME("%p", (void *)0x1234);
}

static void test_kprintf_cuts_and_counts(void **state)
{
    char buf[5];

    memset(buf, 'x', sizeof(buf));
    assert_int_equal(kprintf(buf, sizeof(buf), "%s", "abcdefgh"), 8);
    assert_string_equal(buf, "abcd");
    buf[0] = 'x';
    assert_int_equal(kprintf(buf, 1, "%d", 12345), 5);
    assert_string_equal(buf, "");
    buf[0] = 'y';
    assert_int_equal(kprintf(buf, 0, "%d", 12345), 5);
    assert_int_equal(buf[0], 'y');
}

static void test_strbuild_stops_at_its_end(void **state)
{
    struct strbuild b;

    strbuild_init(&b);
    for (int i = 0; i < 1000; i++) {
        strbuild_add(&b, "%s", "0123456789");
    }
    assert_int_equal(strbuild_length(&b), STRBUILD_SIZE - 1);
    assert_int_equal(strlen(b.text), STRBUILD_SIZE - 1);
}

static void test_errno_names_and_numbers(void **state)
{
    assert_string_equal(errno_name(ENOENT), "ENOENT");
    assert_string_equal(errno_name(EHWPOISON), "EHWPOISON");
    assert_string_equal(errno_name(0), "?");
    assert_string_equal(errno_name(-1), "?");
    assert_string_equal(errno_name(41), "?");
    assert_string_equal(errno_name(10000), "?");
    assert_int_equal(errno_number("ENOSYS: gone"), ENOSYS);
    assert_int_equal(errno_number("EPERM"), EPERM);
    assert_int_equal(errno_number("EPER"), 0);
    assert_int_equal(errno_number(""), 0);
    assert_int_equal(errno_number("nonsense: x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kprintf_same_as_libc),
        cmocka_unit_test(test_kprintf_cuts_and_counts),
        cmocka_unit_test(test_strbuild_stops_at_its_end),
        cmocka_unit_test(test_errno_names_and_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
