/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <string.h>

#include "core/ct.h"
#include "core/hex.h"

static void test_hex_round_trip_all_bytes(void **state)
{
    uint8_t all[256];
    uint8_t back[256];
    char text[513];

    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    hex_encode(text, all, sizeof(all));
    assert_int_equal(strlen(text), 512);
    assert_int_equal(hex_decode(back, sizeof(back), text, 512), 0);
    assert_memory_equal(all, back, sizeof(all));
}

static void test_hex_decode_bad_input_refused(void **state)
{
    uint8_t out[2];

    assert_int_equal(hex_decode(out, 2, "00fF", 4), 0);
    assert_int_equal(out[1], 0xff);
    assert_int_equal(hex_decode(out, 2, "00f", 3), -EINVAL);
    assert_int_equal(hex_decode(out, 2, "00ff0", 5), -EINVAL);
    assert_int_equal(hex_decode(out, 2, "00fg", 4), -EINVAL);
    assert_int_equal(hex_decode(out, 2, "0x00", 4), -EINVAL);
    assert_int_equal(hex_decode(out, 2, "00 f", 4), -EINVAL);
}

static void test_ct_equal_and_wipe(void **state)
{
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};

    for (size_t i = 0; i < sizeof(a); i++) {
        assert_true(ct_equal(a, b, sizeof(a)));
        b[i] ^= 0x80;
        assert_false(ct_equal(a, b, sizeof(a)));
        assert_false(ct_is_zero(b, sizeof(b)));
        ct_wipe(b, sizeof(b));
        assert_true(ct_is_zero(b, sizeof(b)));
    }
    assert_true(ct_equal(a, b, 0));
    for (size_t at = 1; at < 9;
         at++) { /* from any address, of any size: what lies around does not count */
        for (size_t size = 0; at + size < sizeof(a); size++) {
            b[at - 1] = 1;
            b[at + size] = 1;
            assert_true(ct_equal(a + at, b + at, size));
            for (size_t i = at; i < at + size; i++) {
                b[i] = 1;
                assert_false(ct_equal(a + at, b + at, size));
                b[i] = 0;
            }
            ct_wipe(b, sizeof(b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hex_round_trip_all_bytes),
        cmocka_unit_test(test_hex_decode_bad_input_refused),
        cmocka_unit_test(test_ct_equal_and_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
