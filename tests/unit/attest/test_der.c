/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* DER and nothing but DER (X.690): what BER would let through is refused. */

#include <string.h>

#include "attest/der_internal.h"
#include "unit/unit.h"

#define CURSOR(...)                                    \
    ({                                                 \
        static const uint8_t bytes_[] = {__VA_ARGS__}; \
        cursor_make(bytes_, sizeof(bytes_));           \
    })

static void test_any_reads_tag_length_and_whole(void **state)
{
    struct cursor c = CURSOR(0x04, 0x02, 0xaa, 0xbb, 0x05, 0x00);
    struct cursor body;
    struct cursor whole;
    uint8_t tag;

    assert_int_equal(der_any(&c, &tag, &body, &whole), 0);
    assert_int_equal(tag, DER_OCTET_STRING);
    assert_int_equal(body.left, 2);
    assert_int_equal(body.p[0], 0xaa);
    assert_int_equal(whole.left, 4);
    assert_int_equal(c.left, 2);
    assert_int_equal(der_any(&c, &tag, &body, NULL), 0);
    assert_int_equal(tag, 0x05);
    assert_int_equal(body.left, 0);
    assert_int_equal(cursor_done(&c), 0);
}

static void test_any_refuses_what_is_not_der(void **state)
{
    struct cursor bad[] = {
        CURSOR(0x04),                               /* no length */
        CURSOR(0x04, 0x02, 0xaa),                   /* contents end early */
        CURSOR(0x04, 0x80, 0x00, 0x00),             /* indefinite */
        CURSOR(0x04, 0x81, 0x01, 0xaa),             /* long form of a short length */
        CURSOR(0x04, 0x82, 0x00, 0x81, 0xaa),       /* leading zero */
        CURSOR(0x04, 0x84, 0x01, 0x00, 0x00, 0x00), /* more than three length bytes */
        CURSOR(0x1f, 0x81, 0x00, 0x00),             /* tag of several bytes */
        CURSOR(0x04, 0x83, 0xff, 0xff, 0xff),       /* far behind the end */
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        struct cursor before = bad[i];
        struct cursor body;
        uint8_t tag;

        assert_int_equal(der_any(&bad[i], &tag, &body, NULL), -EBADMSG);
        assert_ptr_equal(bad[i].p, before.p);
        assert_int_equal(bad[i].left, before.left);
    }
}

static void test_integers_are_minimal_and_not_negative(void **state)
{
    struct cursor good = CURSOR(0x02, 0x02, 0x00, 0x80);
    struct cursor largest = CURSOR(0x02, 0x05, 0x00, 0xff, 0xff, 0xff, 0xff);
    struct cursor bad[] = {
        CURSOR(0x02, 0x00),                               /* empty */
        CURSOR(0x02, 0x02, 0x00, 0x7f),                   /* needless zero */
        CURSOR(0x02, 0x02, 0xff, 0x80),                   /* needless sign */
        CURSOR(0x02, 0x01, 0x80),                         /* negative */
        CURSOR(0x02, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00), /* 33 bits */
        CURSOR(0x0a, 0x01, 0x01),                         /* another type */
    };
    uint32_t v;

    assert_int_equal(der_u32(&good, DER_INTEGER, &v), 0);
    assert_int_equal(v, 128);
    assert_int_equal(der_u32(&largest, DER_INTEGER, &v), 0);
    assert_int_equal(v, UINT32_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(der_u32(&bad[i], DER_INTEGER, &v), -EBADMSG);
    }
}

static void test_scalar_is_right_aligned_and_bounded(void **state)
{
    static const uint8_t one[] = {0x02, 0x01, 0x01};
    uint8_t wide[2 + 33] = {0x02, 33, 0x00, 0x80};
    uint8_t over[2 + 33] = {0x02, 33, 0x01};
    struct cursor c = cursor_make(one, sizeof(one));
    struct cursor zero = CURSOR(0x02, 0x01, 0x00);
    uint8_t v[32];

    assert_int_equal(der_scalar(&c, v), 0);
    assert_int_equal(v[31], 1);
    assert_int_equal(v[0], 0);
    c = cursor_make(wide, sizeof(wide));
    assert_int_equal(der_scalar(&c, v), 0);
    assert_int_equal(v[0], 0x80);
    c = cursor_make(over, sizeof(over));
    assert_int_equal(der_scalar(&c, v), -EBADMSG);
    assert_int_equal(der_scalar(&zero, v), -EBADMSG);
}

static void test_bool_knows_two_values(void **state)
{
    struct cursor yes = CURSOR(0x01, 0x01, 0xff);
    struct cursor no = CURSOR(0x01, 0x01, 0x00);
    struct cursor other = CURSOR(0x01, 0x01, 0x01);
    bool v;

    assert_int_equal(der_bool(&yes, &v), 0);
    assert_true(v);
    assert_int_equal(der_bool(&no, &v), 0);
    assert_false(v);
    assert_int_equal(der_bool(&other, &v), -EBADMSG);
}

static void test_oid_has_one_encoding(void **state)
{
    struct cursor good = CURSOR(0x06, 0x03, 0x55, 0x84, 0x03);
    struct cursor bad[] = {
        CURSOR(0x06, 0x00), CURSOR(0x06, 0x02, 0x55, 0x84), /* last number is not finished */
        CURSOR(0x06, 0x03, 0x55, 0x80, 0x03),               /* padded number */
    };
    struct cursor v;

    assert_int_equal(der_oid(&good, &v), 0);
    assert_int_equal(v.left, 3);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(der_oid(&bad[i], &v), -EBADMSG);
    }
}

static void test_bits_have_no_unused_ones(void **state)
{
    struct cursor good = CURSOR(0x03, 0x02, 0x00, 0xf0);
    struct cursor bad = CURSOR(0x03, 0x02, 0x04, 0xf0);
    struct cursor empty = CURSOR(0x03, 0x00);
    struct cursor v;

    assert_int_equal(der_bits(&good, &v), 0);
    assert_int_equal(v.left, 1);
    assert_int_equal(der_bits(&bad, &v), -EBADMSG);
    assert_int_equal(der_bits(&empty, &v), -EBADMSG);
}

static void check_time(uint8_t tag, const char *text, bool ok, int64_t want)
{
    uint8_t bytes[64];
    size_t len = strlen(text);
    struct cursor c;
    int64_t t = -1;

    bytes[0] = tag;
    bytes[1] = (uint8_t)len;
    memcpy(bytes + 2, text, len);
    c = cursor_make(bytes, len + 2);
    assert_int_equal(der_time(&c, &t), ok ? 0 : -EBADMSG);
    assert_int_equal(t, ok ? want : -1);
}

static void test_time_follows_rfc_5280(void **state)
{
    check_time(DER_UTC_TIME, "700101000000Z", true, 0);
    check_time(DER_UTC_TIME, "491231235959Z", true, 2524607999);
    check_time(DER_UTC_TIME, "500101000000Z", true, -631152000); /* 1950 */
    check_time(DER_GENERAL_TIME, "20500101000000Z", true, 2524608000);
    check_time(DER_UTC_TIME, "240229000000Z", true, 1709164800);
    check_time(DER_UTC_TIME, "230229000000Z", false, 0);
    check_time(DER_UTC_TIME, "2302280000Z", false, 0);           /* no seconds */
    check_time(DER_UTC_TIME, "230228000000+0100", false, 0);     /* an offset */
    check_time(DER_UTC_TIME, "230228000060Z", false, 0);         /* second 60 */
    check_time(DER_UTC_TIME, "23022800000 Z", false, 0);         /* a space */
    check_time(DER_GENERAL_TIME, "20230228000000.5Z", false, 0); /* a fraction */
    check_time(DER_OCTET_STRING, "230228000000Z", false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_reads_tag_length_and_whole),
        cmocka_unit_test(test_any_refuses_what_is_not_der),
        cmocka_unit_test(test_integers_are_minimal_and_not_negative),
        cmocka_unit_test(test_scalar_is_right_aligned_and_bounded),
        cmocka_unit_test(test_bool_knows_two_values),
        cmocka_unit_test(test_oid_has_one_encoding),
        cmocka_unit_test(test_bits_have_no_unused_ones),
        cmocka_unit_test(test_time_follows_rfc_5280),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
