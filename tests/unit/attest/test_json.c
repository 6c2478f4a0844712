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

/* --- documents made of members: each one missing, twice, or wrong --- */

struct member {
    const char *good;
    const char *bad[4];
};

#define ISV_LEVEL(status) \
    "{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"" status "\"}"
#define ZEROS48                                                                                    \
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
    "00"                                                                                           \
    "00"

static const struct member g_identity[] = {
    {"\"id\":\"QE\"", {"\"id\":\"QVE\"", "\"id\":1"}},
    {"\"version\":2", {"\"version\":1", "\"version\":3", "\"version\":\"2\""}},
    {"\"issueDate\":\"2025-01-01T00:00:00Z\"",
     {"\"issueDate\":\"2025-01-01\"", "\"issueDate\":\"2026-01-01T00:00:00Z\""}},
    {"\"nextUpdate\":\"2025-02-01T00:00:00Z\"", {"\"nextUpdate\":1738368000"}},
    {"\"tcbEvaluationDataNumber\":17",
     {"\"tcbEvaluationDataNumber\":-1", "\"tcbEvaluationDataNumber\":4294967296"}},
    {"\"miscselect\":\"00000000\"", {"\"miscselect\":\"000000\"", "\"miscselect\":0"}},
    {"\"miscselectMask\":\"FFFFFFFF\"", {"\"miscselectMask\":\"FFFFFFFG\""}},
    {"\"attributes\":\"11000000000000000000000000000000\"", {"\"attributes\":\"11\""}},
    {"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\"", {"\"attributesMask\":null"}},
    {"\"mrsigner\":\"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF\"",
     {"\"mrsigner\":\"8C4F\""}},
    {"\"isvprodid\":1", {"\"isvprodid\":65536", "\"isvprodid\":1.5"}},
    {"\"tcbLevels\":[" ISV_LEVEL("UpToDate") "," ISV_LEVEL("Revoked") "]",
     {"\"tcbLevels\":[]", "\"tcbLevels\":{}", "\"tcbLevels\":[" ISV_LEVEL("SWHardeningNeeded") "]",
      "\"tcbLevels\":[{\"tcb\":{},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}"
      "]"}},
};

static const struct member g_module[] = {
    {"\"id\":\"TDX_01\"", {"\"id\":\"\"", "\"id\":\"TDX_01_longer_than_any\""}},
    {"\"mrsigner\":\"" ZEROS48 "\"", {"\"mrsigner\":\"00\""}},
    {"\"attributes\":\"0000000000000000\"", {"\"attributes\":\"00\""}},
    {"\"attributesMask\":\"FFFFFFFFFFFFFFFF\"", {"\"attributesMask\":[]"}},
    {"\"tcbLevels\":[" ISV_LEVEL("OutOfDate") "]",
     {"\"tcbLevels\":[" ISV_LEVEL("ConfigurationNeeded") "]",
      "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":65536},\"tcbDate\":\"2024-03-13T00:00:00Z\","
      "\"tcbStatus\":\"UpToDate\"}]",
      "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":1},\"tcbStatus\":\"UpToDate\"}]"}},
};

enum change { CHANGE_NOTHING, CHANGE_OMIT, CHANGE_REPEAT, CHANGE_BAD };

/* An object of the members, with the one at `index` changed. */
static size_t build(char *dst, size_t room, const struct member *members, size_t count,
                    enum change change, size_t index, const char *bad)
{
    size_t n = (size_t)snprintf(dst, room, "{");

    for (size_t i = 0; i < count; i++) {
        enum change now = i == index ? change : CHANGE_NOTHING;
        const char *text = now == CHANGE_BAD ? bad : members[i].good;

        if (now == CHANGE_OMIT) {
            continue;
        }
        n += (size_t)snprintf(dst + n, room - n, "%s,", text);
        if (now == CHANGE_REPEAT) {
            n += (size_t)snprintf(dst + n, room - n, "%s,", text);
        }
    }
    /* One member nobody knows, so that every other one may end in a comma. */
    n += (size_t)snprintf(dst + n, room - n, "\"new\":[{}]}");
    return n;
}

static bool parse_identity(const char *text, size_t size)
{
    struct qe_identity qe = {0};
    struct att_reason why = {0};

    if (qe_identity_parse(cursor_make(text, size), &qe, &why) == 0) {
        qe_identity_done(&qe);
        return true;
    }
    assert_int_equal(why.code, ATT_QE_IDENTITY_MALFORMED);
    return false;
}

static bool parse_module(const char *text, size_t size)
{
    static const char head[] = "{\"id\":\"TDX\",\"version\":3," DATES PLATFORM EVALUATION
                               "\"tdxModule\":{\"mrsigner\":\"" ZEROS48
                               "\",\"attributes\":\"0000000000000000\",\"attributesMask\":"
                               "\"FFFFFFFFFFFFFFFF\"},\"tdxModuleIdentities\":[";
    static const char tail[] =
        "],\"tcbLevels\":[" LEVEL(TCB ",\"tdxtcbcomponents\":" COMPONENTS) "]}";
    char whole[8192];

    (void)snprintf(whole, sizeof(whole), "%s%.*s%s", head, (int)size, text, tail);
    return parse_info(whole) == ATT_NONE;
}

static void check_members(const struct member *members, size_t count,
                          bool (*parse)(const char *text, size_t size))
{
    char text[4096];

    assert_true(parse(text, build(text, sizeof(text), members, count, CHANGE_NOTHING, 0, NULL)));
    for (size_t i = 0; i < count; i++) {
        if (parse(text, build(text, sizeof(text), members, count, CHANGE_OMIT, i, NULL)) ||
            parse(text, build(text, sizeof(text), members, count, CHANGE_REPEAT, i, NULL))) {
            fail_msg("accepted without, or twice: %s", members[i].good);
        }
        for (size_t j = 0; j < ARRAY_COUNT(members[i].bad) && members[i].bad[j] != NULL; j++) {
            if (parse(text, build(text, sizeof(text), members, count, CHANGE_BAD, i,
                                  members[i].bad[j]))) {
                fail_msg("accepted: %s", members[i].bad[j]);
            }
        }
    }
}

static void test_qe_identity_each_member_once_and_right(void **state)
{
    check_members(g_identity, ARRAY_COUNT(g_identity), parse_identity);
}

static void test_tdx_module_each_member_once_and_right(void **state)
{
    check_members(g_module, ARRAY_COUNT(g_module), parse_module);
}

static void test_qe_identity_reads_every_field(void **state)
{
    struct qe_identity qe;
    char text[4096];
    size_t size =
        build(text, sizeof(text), g_identity, ARRAY_COUNT(g_identity), CHANGE_NOTHING, 0, NULL);

    assert_int_equal(qe_identity_parse(cursor_make(text, size), &qe, NULL), 0);
    assert_false(qe.tdx);
    assert_int_equal(qe.issue_date, 1735689600);
    assert_int_equal(qe.next_update, 1738368000);
    assert_int_equal(qe.evaluation_number, 17);
    assert_int_equal(qe.miscselect_mask, 0xffffffff);
    assert_int_equal(qe.attributes[0], 0x11);
    assert_int_equal(qe.attributes_mask[0], 0xfb);
    assert_int_equal(qe.mrsigner[31], 0xff);
    assert_int_equal(qe.isv_prod_id, 1);
    assert_int_equal(qe.tcb.count, 2);
    assert_int_equal(qe.tcb.levels[0].isv_svn, 8);
    assert_int_equal(qe.tcb.levels[1].status, ATT_TCB_Revoked);
    qe_identity_done(&qe);
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
        cmocka_unit_test(test_qe_identity_each_member_once_and_right),
        cmocka_unit_test(test_tdx_module_each_member_once_and_right),
        cmocka_unit_test(test_qe_identity_reads_every_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
