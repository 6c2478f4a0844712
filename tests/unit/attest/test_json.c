/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The strict reader, and what the two documents accept. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/json_internal.h"
#include "attest/tcb_internal.h"
#include "unit/unit.h"

static int skip_all(const char *text, size_t *ret_span)
{
    struct cursor c = cursor_make(text, strlen(text));
    struct cursor span = {0};
    int r = json_skip(&c, &span);

    if (ret_span != NULL) {
        *ret_span = span.left;
    }
    return r != 0 ? r : json_done(&c);
}

static void test_skip_accepts_json(void **state)
{
    static const char *const good[] = {
        "{}",
        "[]",
        "0",
        "-0",
        "-1.5e+10",
        "\"\"",
        "\"a\\u00e9\\n\\\"\"",
        "true",
        "null",
        "[1,[2,[3]],{\"a\":{\"b\":[]}}]",
        " { \"a\" : [ 1 , 2 ] , \"b\" : null } ",
        "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
    };

    for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
        if (skip_all(good[i], NULL) != 0) {
            fail_msg("refused: %s", good[i]);
        }
    }
}

static void test_skip_refuses_what_is_not_json(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "-",
        "tru",
        "True",
        "nul",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "[1}",
        "{\"a\":1]",
        "1 2",
        "[]]",
        "{}{}",
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", /* one deeper than allowed */
    };

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (skip_all(bad[i], NULL) == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void test_skip_span_is_the_value_alone(void **state)
{
    size_t span;

    assert_int_equal(skip_all("  {\"a\": 1 }  ", &span), 0);
    assert_int_equal(span, strlen("{\"a\": 1 }"));
}

static void check_uint(const char *text, uint64_t max, bool ok, uint64_t want)
{
    struct cursor c = cursor_make(text, strlen(text));
    uint64_t v = 0;

    assert_int_equal(json_uint(&c, max, &v), ok ? 0 : -EBADMSG);
    assert_int_equal(v, want);
}

static void test_uint_is_plain_and_bounded(void **state)
{
    check_uint("0", 0, true, 0);
    check_uint("255", 255, true, 255);
    check_uint("256", 255, false, 0);
    check_uint("00", 255, false, 0);
    check_uint("1.0", 255, false, 0);
    check_uint("1e1", 255, false, 0);
    check_uint("-1", 255, false, 0);
    check_uint("\"1\"", 255, false, 0);
    check_uint("99999999999999999999", UINT64_MAX, false, 0);
}

static void test_text_has_no_escapes(void **state)
{
    static const char escaped[] = "\"UpTo\\u0044ate\"";
    static const char plain[] = "\"UpToDate\"";
    struct cursor c = cursor_make(escaped, sizeof(escaped) - 1);
    struct json_text t;

    assert_int_equal(json_text(&c, &t), -EBADMSG);
    c = cursor_make(plain, sizeof(plain) - 1);
    assert_int_equal(json_text(&c, &t), 0);
    assert_true(json_is(&t, "UpToDate"));
    assert_false(json_is(&t, "UpToDat"));
    assert_false(json_is(&t, "UpToDateX"));
}

/* --- envelope --- */

#define SIG                                                                            \
    "\"signature\":"                                                                   \
    "\"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f00010203040506" \
    "0708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f\""

static int split(const char *text, struct cursor *inner)
{
    uint8_t signature[64];

    return tcb_split_signed(cursor_make(text, strlen(text)), "tcbInfo", inner, signature);
}

static void test_split_finds_the_exact_inner_bytes(void **state)
{
    struct cursor inner;

    assert_int_equal(split("{\"tcbInfo\":{\"a\":[1, 2]}," SIG "}", &inner), 0);
    assert_int_equal(inner.left, strlen("{\"a\":[1, 2]}"));
    assert_memory_equal(inner.p, "{\"a\":[1, 2]}", inner.left);
    assert_int_equal(split("{" SIG ",\"tcbInfo\":{}}", &inner), 0);
    assert_int_equal(inner.left, 2);
}

static void test_split_refuses_anything_else(void **state)
{
    static const char *const bad[] = {
        "{}",
        "{\"tcbInfo\":{}}",
        "{" SIG "}",
        "{\"tcbInfo\":{},\"tcbInfo\":{}," SIG "}", /* twice: which one is signed? */
        "{\"tcbInfo\":{}," SIG "," SIG "}",
        "{\"tcbInfo\":{}," SIG ",\"more\":1}",
        "{\"tcbInfo\":{}," SIG "}x",
        "{\"tcbinfo\":{}," SIG "}",
        "{\"tcbInfo\":{},\"signature\":\"00\"}",
        "[{\"tcbInfo\":{}," SIG "}]",
    };
    struct cursor inner;

    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (split(bad[i], &inner) == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

/* --- documents --- */

#define COMPONENTS                                                                                 \
    "[{\"svn\":1},{\"svn\":2},{\"svn\":3},{\"svn\":4},{\"svn\":5},{\"svn\":6},{\"svn\":7},{"       \
    "\"svn\":"                                                                                     \
    "8},{\"svn\":9},{\"svn\":10},{\"svn\":11},{\"svn\":12},{\"svn\":13},{\"svn\":14},{\"svn\":15}" \
    ",{"                                                                                           \
    "\"svn\":255}]"
#define LEVEL(tcb) \
    "{\"tcb\":{" tcb "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}"
#define TCB        "\"sgxtcbcomponents\":" COMPONENTS ",\"pcesvn\":13"
#define HEAD       "\"id\":\"SGX\",\"version\":3,"
#define DATES      "\"issueDate\":\"2025-01-01T00:00:00Z\",\"nextUpdate\":\"2025-02-01T00:00:00Z\","
#define PLATFORM   "\"fmspc\":\"00606a000000\",\"pceId\":\"0000\",\"tcbType\":0,"
#define EVALUATION "\"tcbEvaluationDataNumber\":17,"
#define LEVELS     "\"tcbLevels\":[" LEVEL(TCB) "]"

static enum att_code parse_info(const char *text)
{
    struct tcb_info info = {0};
    struct att_reason why = {0};

    if (tcb_info_parse(cursor_make(text, strlen(text)), &info, &why) == 0) {
        tcb_info_done(&info);
        return ATT_NONE;
    }
    assert_int_not_equal(why.code, ATT_NONE);
    return why.code;
}

static void test_tcb_info_reads_every_field(void **state)
{
    static const char text[] =
        "{" HEAD DATES PLATFORM EVALUATION "\"future\":{\"x\":[1]}," LEVELS "}";
    struct tcb_info info;

    assert_int_equal(tcb_info_parse(cursor_make(text, sizeof(text) - 1), &info, NULL), 0);
    assert_false(info.tdx);
    assert_int_equal(info.version, 3);
    assert_int_equal(info.issue_date, 1735689600);
    assert_int_equal(info.next_update, 1738368000);
    assert_int_equal(info.fmspc[1], 0x60);
    assert_int_equal(info.evaluation_number, 17);
    assert_int_equal(info.level_count, 1);
    assert_int_equal(info.levels[0].sgx[0], 1);
    assert_int_equal(info.levels[0].sgx[15], 255);
    assert_int_equal(info.levels[0].pce_svn, 13);
    assert_int_equal(info.levels[0].status, ATT_TCB_UpToDate);
    tcb_info_done(&info);
}

static void test_tcb_info_refuses_what_is_missing_or_odd(void **state)
{
    static const char *const bad[] = {
        "{" DATES PLATFORM EVALUATION LEVELS "}",               /* no version */
        "{" HEAD PLATFORM EVALUATION LEVELS "}",                /* no dates */
        "{" HEAD DATES EVALUATION LEVELS "}",                   /* no platform */
        "{" HEAD DATES PLATFORM LEVELS "}",                     /* no number */
        "{" HEAD DATES PLATFORM EVALUATION "\"x\":1}",          /* no levels */
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[]}", /* none in the list */
        "{" HEAD HEAD DATES PLATFORM EVALUATION LEVELS "}",     /* members twice */
        "{\"version\":3," DATES PLATFORM EVALUATION LEVELS "}", /* version 3, no id */
        "{\"id\":\"SGX\",\"version\":4," DATES PLATFORM EVALUATION LEVELS "}",
        "{\"id\":\"SEV\",\"version\":3," DATES PLATFORM EVALUATION LEVELS "}",
        "{\"id\":\"TDX\",\"version\":3," DATES PLATFORM EVALUATION LEVELS "}", /* no tdxModule */
        "{\"version\":2," DATES PLATFORM EVALUATION LEVELS "}", /* version 2 lists components */
        "{" HEAD DATES
        "\"fmspc\":\"00606a00000\",\"pceId\":\"0000\",\"tcbType\":0," EVALUATION LEVELS "}",
        "{" HEAD DATES
        "\"fmspc\":\"00606a000000\",\"pceId\":\"0000\",\"tcbType\":1," EVALUATION LEVELS "}",
        "{" HEAD
        "\"issueDate\":\"2025-02-01T00:00:00Z\",\"nextUpdate\":\"2025-01-01T00:00:00Z\"," PLATFORM
            EVALUATION LEVELS "}", /* ends before it begins */
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[" LEVEL("\"pcesvn\":13") "]}",
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[" LEVEL(
            TCB ",\"sgxtcbcomp01svn\":200") "]}", /* two ways to say one thing */
        "{" HEAD DATES PLATFORM EVALUATION
        "\"tcbLevels\":[" LEVEL("\"sgxtcbcomponents\":[{\"svn\":1}],\"pcesvn\":13") "]}",
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[{\"tcb\":{" TCB
        "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"Fine\"}]}",
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[{\"tcb\":{" TCB
        "},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"TDRelaunchAdvised\"}]}",
        "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[{\"tcb\":{" TCB
        "},\"tcbDate\":\"2024-03-13\",\"tcbStatus\":\"UpToDate\"}]}",
        "{" HEAD DATES PLATFORM EVALUATION LEVELS "}{}",
    };

    assert_int_equal(parse_info("{" HEAD DATES PLATFORM EVALUATION LEVELS "}"), ATT_NONE);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        enum att_code code = parse_info(bad[i]);

        if (code != ATT_TCB_INFO_MALFORMED) {
            fail_msg("%s: %s", att_code_name(code), bad[i]);
        }
    }
}

/* The limits beside the types are met, not exceeded. */
static void test_tcb_info_counts_are_limited(void **state)
{
    size_t room = 1024 * 512;
    char *text = malloc(room);

    assert_non_null(text);
    for (size_t count = TCB_LEVEL_MAX; count <= TCB_LEVEL_MAX + 1; count++) {
        size_t n =
            (size_t)snprintf(text, room, "{" HEAD DATES PLATFORM EVALUATION "\"tcbLevels\":[");

        for (size_t i = 0; i < count; i++) {
            n += (size_t)snprintf(text + n, room - n, "%s" LEVEL(TCB), i == 0 ? "" : ",");
        }
        (void)snprintf(text + n, room - n, "]}");
        assert_int_equal(parse_info(text),
                         count <= TCB_LEVEL_MAX ? ATT_NONE : ATT_TCB_INFO_MALFORMED);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_skip_accepts_json),
        cmocka_unit_test(test_skip_refuses_what_is_not_json),
        cmocka_unit_test(test_skip_span_is_the_value_alone),
        cmocka_unit_test(test_uint_is_plain_and_bounded),
        cmocka_unit_test(test_text_has_no_escapes),
        cmocka_unit_test(test_split_finds_the_exact_inner_bytes),
        cmocka_unit_test(test_split_refuses_anything_else),
        cmocka_unit_test(test_tcb_info_reads_every_field),
        cmocka_unit_test(test_tcb_info_refuses_what_is_missing_or_odd),
        cmocka_unit_test(test_tcb_info_counts_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
