/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* RFC 4648 section 10. */
static const struct {
    const char *plain;
    const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void test_vectors_both_ways(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        const size_t size = strlen(vectors[i].plain);
        char text[16] = "";
        uint8_t back[16];
        size_t back_size;

        base64_encode(text, vectors[i].plain, size);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(BASE64_SIZE(size), strlen(text));
        assert_int_equal(base64_decode(back, text, strlen(text), &back_size), 0);
        assert_int_equal(back_size, size);
        assert_memory_equal(back, vectors[i].plain, size);
    }
}

static void test_every_byte_and_length_returns(void **state)
{
    uint8_t data[256];
    char text[BASE64_SIZE(sizeof(data))];
    uint8_t back[BASE64_DECODED_MAX(sizeof(text))];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 167 + 13);
    }
    for (size_t size = 0; size <= sizeof(data); size++) {
        size_t n;

        base64_encode(text, data, size);
        assert_int_equal(base64_decode(back, text, BASE64_SIZE(size), &n), 0);
        assert_int_equal(n, size);
        assert_memory_equal(back, data, size);
    }
}

static void test_decode_refuses_all_but_the_canonical_form(void **state)
{
    static const char *const bad[] = {"Z",    "Zg",        "Zg=",  "Zg===",    "=",      "====",
                                      "Z===", "Zh==",      "Zm9=", "Zg==Zg==", "Zm9v\n", "Zm 9",
                                      "Zm-_", "Zm9v Zm9v", "=g==", "Zg=v"};
    uint8_t out[16];
    size_t n;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(base64_decode(out, bad[i], strlen(bad[i]), &n), -EINVAL);
    }
    for (int c = 0; c < 256; c++) {
        const char text[4] = {'A', 'A', 'A', (char)c};
        const bool good =
            strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", c) != NULL &&
            c != 0;

        /* 'AAA' and '=' is two bytes, and so is fine as well. */
        assert_int_equal(base64_decode(out, text, 4, &n), good || c == '=' ? 0 : -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_both_ways),
        cmocka_unit_test(test_every_byte_and_length_returns),
        cmocka_unit_test(test_decode_refuses_all_but_the_canonical_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
