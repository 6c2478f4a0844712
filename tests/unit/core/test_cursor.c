/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include "core/cursor.h"

static void test_cursor_reads_every_width(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    struct cursor c = cursor_make(bytes, sizeof(bytes));
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    assert_int_equal(cursor_u8(&c, &u8), 0);
    assert_int_equal(u8, 1);
    assert_int_equal(cursor_u16le(&c, &u16), 0);
    assert_int_equal(u16, 0x0302);
    assert_int_equal(cursor_u32le(&c, &u32), 0);
    assert_int_equal(u32, 0x07060504);
    assert_int_equal(cursor_u64le(&c, &u64), 0);
    assert_true(u64 == 0x0f0e0d0c0b0a0908ull);
    assert_int_equal(cursor_u16be(&c, &u16), 0);
    assert_int_equal(u16, 0x0102);
    assert_int_equal(cursor_u32be(&c, &u32), 0);
    assert_int_equal(u32, 0x03040506);
    assert_int_equal(cursor_u64be(&c, &u64), 0);
    assert_true(u64 == 0x0708090a0b0c0d0eull);
    assert_int_equal(cursor_done(&c), 0);
}

static void test_cursor_short_input_refused_and_nothing_moves(void **state)
{
    static const uint8_t bytes[7] = {0};

    for (size_t have = 0; have < 8; have++) {
        struct cursor c = cursor_make(bytes, MIN(have, sizeof(bytes)));
        struct cursor sub;
        const size_t left = c.left;
        uint64_t u64;
        const uint8_t *p;

        assert_int_equal(cursor_u64le(&c, &u64), -EBADMSG);
        assert_int_equal(cursor_bytes(&c, left + 1, &p), -EBADMSG);
        assert_int_equal(cursor_bytes(&c, SIZE_MAX, &p), -EBADMSG);
        assert_int_equal(cursor_sub(&c, left + 1, &sub), -EBADMSG);
        assert_int_equal(cursor_skip(&c, left + 1), -EBADMSG);
        assert_int_equal(c.left, left);
        assert_ptr_equal(c.p, bytes);
    }
}

static void test_cursor_sub_is_bounded_by_its_piece(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    struct cursor c = cursor_make(bytes, sizeof(bytes));
    struct cursor sub;
    uint16_t u16;
    uint8_t u8;

    assert_int_equal(cursor_sub(&c, 2, &sub), 0);
    assert_int_equal(cursor_u16be(&sub, &u16), 0);
    assert_int_equal(cursor_u8(&sub, &u8), -EBADMSG);
    assert_int_equal(cursor_done(&sub), 0);
    assert_int_equal(cursor_done(&c), -EBADMSG);
    assert_int_equal(cursor_skip(&c, 2), 0);
    assert_int_equal(cursor_done(&c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cursor_reads_every_width),
        cmocka_unit_test(test_cursor_short_input_refused_and_nothing_moves),
        cmocka_unit_test(test_cursor_sub_is_bounded_by_its_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
