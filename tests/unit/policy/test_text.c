/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "policy/macro.h"
#include "policy/text.h"

static void test_utf8_valid_edges(void **state)
{
    static const struct {
        const char *s;
        bool ok;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"gr\xc3\xbcn", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x94\x92", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},             /* a continuation alone */
        {"\xc3", false},             /* cut off */
        {"\xc0\xaf", false},         /* overlong */
        {"\xe0\x80\xaf", false},     /* overlong */
        {"\xf0\x80\x80\xaf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xff", false},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (utf8_valid(cases[i].s, strlen(cases[i].s)) != cases[i].ok) {
            fail_msg("case %zu", i);
        }
    }
}

static void test_name_session_resolve_relative(void **state)
{
    static const struct {
        const char *from;
        const char *ref;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"a/b/c", "x/y", "x/y"},   {"a/b/c", "./x", "a/b/x"},     {"a/b/c", "../x", "a/x"},
        {"a/b/c", "../../x", "x"}, {"a/b/c", "../../../x", NULL}, {"top", "./x", "x"},
        {"top", "../x", NULL},     {"a/b", "./../x", "x"},        {"a/b", "../x/y", "x/y"},
    };
    char full[POL_NAME_MAX + 1];

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const int r = name_session_resolve(cases[i].from, cases[i].ref, full, sizeof(full));

        assert_int_equal(r == 0, cases[i].want != NULL);
        if (cases[i].want != NULL) {
            assert_string_equal(full, cases[i].want);
        }
    }
    assert_int_equal(name_session_resolve("a/b", "./abc", full, 5), -ENOSPC);
    assert_int_equal(name_session_resolve("a/b", "./abc", full, 6), 0);
    assert_false(name_session_ref_valid("./"));
    assert_false(name_session_ref_valid("x/../y"));
    assert_false(name_session_ref_valid(".././x"));
    assert_false(name_session_ref_valid("/"));
    assert_true(name_session_ref_valid("./../x"));
}

static void test_duration_round_trip_and_limits(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds; /* 0: refused */
        const char *shortest;
    } cases[] = {
        {"90 days", 7776000, "90d"},
        {"59d", 5097600, "59d"},
        {"1 year", 31536000, "365d"},
        {"36h", 129600, "36h"},
        {"90 minutes", 5400, "90m"},
        {"61 s", 61, "61s"},
        {"2 weeks", 1209600, "14d"},
        {"100y", 3153600000, "36500d"},
        {"101 years", 0, NULL},
        {"0d", 0, NULL},
        {"d", 0, NULL},
        {"", 0, NULL},
        {"-1d", 0, NULL},
        {"5", 0, NULL},
        {"5 days ", 0, NULL},
        {"99999999999999999999d", 0, NULL},
        {"18446744073709551615y", 0, NULL},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint64_t v = 0;
        char text[24];
        const int r = duration_parse(cases[i].text, &v);

        if ((r == 0) != (cases[i].seconds != 0) || v != cases[i].seconds) {
            fail_msg("'%s': %d %llu", cases[i].text, r, (unsigned long long)v);
        }
        if (r == 0) {
            duration_print(v, text, sizeof(text));
            assert_string_equal(text, cases[i].shortest);
            assert_int_equal(duration_parse(text, &v), 0);
            assert_int_equal(v, cases[i].seconds);
        }
    }
}

static void test_key_id_round_trip_and_every_typo(void **state)
{
    static const uint8_t versions[] = {KEY_ID_VERSION_KEY, KEY_ID_VERSION_SIGNER, 0xff};
    uint8_t id[KEY_ID_SIZE];

    for (size_t v = 0; v < ARRAY_COUNT(versions); v++) {
        char text[KEY_ID_TEXT_MAX];
        uint8_t version;
        uint8_t back[KEY_ID_SIZE];

        for (size_t i = 0; i < sizeof(id); i++) {
            id[i] = (uint8_t)(v == 1 ? 0 : i * 7 + v);
        }
        key_id_print(versions[v], id, text);
        assert_int_equal(key_id_parse(text, &version, back), 0);
        assert_int_equal(version, versions[v]);
        assert_memory_equal(id, back, sizeof(id));
        for (size_t i = 0; text[i] != '\0'; i++) {
            const char good = text[i];

            text[i] = good == '2' ? '3' : '2';
            assert_int_not_equal(key_id_parse(text, &version, back), 0);
            text[i] = '0'; /* not a digit of base 58 */
            assert_int_equal(key_id_parse(text, &version, back), -EINVAL);
            text[i] = good;
        }
    }
    /* 50 characters is what SCONE's key hashes have, 's' or so behind the first digit. */
    assert_int_equal(key_id_parse("", &(uint8_t){0}, id), -EINVAL);
    assert_int_equal(
        key_id_parse("11111111111111111111111111111111111111111111111111", &(uint8_t){0}, id),
        -EPROTO);
    assert_int_equal(
        key_id_parse("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", &(uint8_t){0}, id),
        -EINVAL);
}

static void test_macro_next_splits(void **state)
{
    static const char text[] =
        "a$$SCONE::n.crt$$b$$SCONE::x:privatekey:pem|escape(json)$$ $$ $$SCO";
    const char *why = NULL;
    struct macro m;
    size_t pos = 0;

    assert_int_equal(macro_next(text, strlen(text), &pos, &m, &why), 1);
    assert_int_equal(m.at - text, 1);
    assert_int_equal(m.name_len, 5);
    assert_int_equal(m.format_len, 0);
    assert_false(m.escape_json);
    assert_int_equal(macro_next(text, strlen(text), &pos, &m, &why), 1);
    assert_int_equal(m.name_len, 1);
    assert_int_equal(m.format_len, strlen("privatekey:pem"));
    assert_memory_equal(m.format, "privatekey:pem", m.format_len);
    assert_true(m.escape_json);
    assert_int_equal(macro_next(text, strlen(text), &pos, &m, &why), 0);
}

static void test_macro_next_malformed_named(void **state)
{
    static const char *const bad[] = {
        "$$SCONE::$$",
        "$$SCONE::a",
        "$$SCONE::a$",
        "$$SCONE::a:$$",
        "$$SCONE::a b$$",
        "$$SCONE::a|b$$",
        "$$SCONE::a|escape$$",
        "$$SCONE::a\nb$$",
        "$$SCONE:::hex$$",
        "$$SCONE::a$b$$$",
        "$$SCONE::|escape(json)$$",
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        const char *why = NULL;
        struct macro m;
        size_t pos = 0;

        if (macro_next(bad[i], strlen(bad[i]), &pos, &m, &why) != -EINVAL || why == NULL) {
            fail_msg("'%s' was not refused", bad[i]);
        }
        assert_true(pos > 0); /* the caller goes on behind it */
    }
}

static void test_macro_length_bounded(void **state)
{
    char text[MACRO_LENGTH_MAX + 64];
    int n;

    memset(text, 'a', sizeof(text));
    memcpy(text, "$$SCONE::", 9);
    memcpy(text + MACRO_LENGTH_MAX - 2, "$$", 2);
    assert_int_equal(macro_length(text, sizeof(text)), MACRO_LENGTH_MAX);
    memset(text + MACRO_LENGTH_MAX - 2, 'a', 2);
    memcpy(text + MACRO_LENGTH_MAX - 1, "$$", 2);
    assert_int_equal(macro_length(text, sizeof(text)), 0);
    n = snprintf(text, sizeof(text), "$$SCONE::x$$");
    for (int i = 0; i < n; i++) {
        assert_int_equal(macro_length(text, (size_t)i), 0);
    }
    assert_int_equal(macro_length(text, (size_t)n), n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_valid_edges),
        cmocka_unit_test(test_name_session_resolve_relative),
        cmocka_unit_test(test_duration_round_trip_and_limits),
        cmocka_unit_test(test_key_id_round_trip_and_every_typo),
        cmocka_unit_test(test_macro_next_splits),
        cmocka_unit_test(test_macro_next_malformed_named),
        cmocka_unit_test(test_macro_length_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
