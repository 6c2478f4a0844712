/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include "core/overflow.h"

static void test_add_mul_overflow_exhaustive_on_u8(void **state)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            uint8_t r;

            assert_int_equal(add_overflow((uint8_t)a, (uint8_t)b, &r), a + b > 255);
            assert_int_equal(mul_overflow((uint8_t)a, (uint8_t)b, &r), a * b > 255);
            assert_int_equal(sub_overflow((uint8_t)a, (uint8_t)b, &r), b > a);
        }
    }
}

static void test_range_within_edges(void **state)
{
    assert_true(range_within(0, 0, 0, 0));
    assert_true(range_within(10, 10, 10, 20));
    assert_false(range_within(10, 11, 10, 20));
    assert_false(range_within(9, 1, 10, 20));
    assert_false(range_within(UINT64_MAX, 2, 0, UINT64_MAX));
    assert_true(range_within(UINT64_MAX, 0, 0, UINT64_MAX));
}

static void test_ranges_overlap_edges(void **state)
{
    assert_false(ranges_overlap(0, 10, 10, 10));
    assert_true(ranges_overlap(0, 11, 10, 10));
    assert_true(ranges_overlap(10, 1, 0, 100));
    assert_false(ranges_overlap(10, 0, 0, 100));
    assert_true(ranges_overlap(UINT64_MAX, 2, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_mul_overflow_exhaustive_on_u8),
        cmocka_unit_test(test_range_within_edges),
        cmocka_unit_test(test_ranges_overlap_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
