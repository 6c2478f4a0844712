/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* The tables behind the names: complete, stable, in the documentation, and printable. */

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "unit/attest/case.h"
#include "unit/unit.h"

static struct bytes read_doc(void)
{
    const char *root = getenv("NACRE_SOURCE_ROOT");

    assert_non_null(root);
    return read_bytes(root, "docs/attestation.md");
}

static void assert_line(const struct bytes *doc, const char *line)
{
    if (strstr((const char *)doc->data, line) == NULL) {
        fail_msg("docs/attestation.md lacks this line, or says it differently:\n%s", line);
    }
}

static void test_document_has_every_reason(void **state)
{
    struct bytes doc = read_doc();

    for (unsigned i = 1; i < ATT_CODE_COUNT_; i++) {
        _cleanup_free_ char *line = NULL;

        assert_true(asprintf(&line, "\n| `%s` | %s | %s |\n", att_code_name(i),
                             att_code_sentence(i), att_code_advice(i)) > 0);
        assert_line(&doc, line);
    }
    free(doc.data);
}

static void test_document_has_every_status(void **state)
{
    struct bytes doc = read_doc();

    for (unsigned i = 0; i < ATT_TCB_COUNT_; i++) {
        _cleanup_free_ char *line = NULL;

        assert_true(asprintf(&line, "\n| `%s` | %s | %s |\n", att_tcb_status_name(i),
                             i == ATT_TCB_UpToDate         ? "accepted"
                             : att_tcb_status_tolerable(i) ? "if tolerated"
                                                           : "never",
                             att_tcb_status_meaning(i)) > 0);
        assert_line(&doc, line);
    }
    free(doc.data);
}

static void test_document_has_every_claim(void **state)
{
    struct bytes doc = read_doc();

    for (size_t i = 0; i < att_claim_count; i++) {
        _cleanup_free_ char *line = NULL;

        assert_true(asprintf(&line, "\n| `%s` | %s |\n", att_claim_table[i].name,
                             att_claim_table[i].meaning) > 0);
        assert_line(&doc, line);
    }
    free(doc.data);
}

static void test_codes_are_lower_case_and_distinct(void **state)
{
    for (unsigned i = 0; i < ATT_CODE_COUNT_; i++) {
        const char *name = att_code_name(i);

        for (const char *p = name; *p != '\0'; p++) {
            assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
        }
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, att_code_name(j));
        }
        assert_true(i == 0 || att_code_advice(i)[0] != '\0');
    }
    assert_string_equal(att_code_name(ATT_CODE_COUNT_), "unknown");
    assert_string_equal(att_tcb_status_name(ATT_TCB_COUNT_), "unknown");
    assert_false(att_tcb_status_tolerable(ATT_TCB_COUNT_));
}

static void test_status_from_name_is_exact(void **state)
{
    enum att_tcb_status s;

    for (unsigned i = 0; i < ATT_TCB_COUNT_; i++) {
        assert_int_equal(att_tcb_status_from_name(att_tcb_status_name(i), &s), 0);
        assert_int_equal(s, i);
    }
    assert_int_equal(att_tcb_status_from_name("uptodate", &s), -EINVAL);
    assert_int_equal(att_tcb_status_from_name("", &s), -EINVAL);
    assert_false(att_tcb_status_tolerable(ATT_TCB_Revoked));
    assert_false(att_tcb_status_tolerable(ATT_TCB_TCB_NOT_SUPPORTED));
}

static void test_claim_format_fits_every_claim(void **state)
{
    struct att_claims claims;
    char text[ATT_CLAIM_TEXT_MAX];

    memset(&claims, 0, sizeof(claims));
    for (size_t i = 0; i < att_claim_count; i++) {
        const struct att_claim_info *info = &att_claim_table[i];

        memset(text, 'x', sizeof(text));
        att_claim_format(&claims, info, text, sizeof(text));
        assert_non_null(memchr(text, '\0', sizeof(text)));
        if (info->kind == ATT_KIND_BYTES) {
            assert_int_equal(strlen(text), 2 * info->size);
            att_claim_format(&claims, info, text, 2 * info->size); /* no room for the NUL */
            assert_string_equal(text, "");
        }
    }
}

static void check_time(int64_t t, const char *want)
{
    char text[32];
    int64_t back;

    att_time_format(t, text);
    assert_string_equal(text, want);
    assert_int_equal(att_time_parse(text, &back), 0);
    assert_int_equal(back, t);
}

static void test_time_goes_both_ways(void **state)
{
    static const char *const bad[] = {
        "",
        "2025-13-01T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2025-01-01T24:00:00Z",
        "2025-01-01T00:00:00",
        "2025-01-01 00:00:00Z",
        "2025-01-01T00:00:00+00:00",
        "-5",
        "12x",
        "1234567890123",
    };
    int64_t t;

    check_time(0, "1970-01-01T00:00:00Z");
    check_time(951782400, "2000-02-29T00:00:00Z");
    check_time(1756530546, "2025-08-30T05:09:06Z");
    check_time(2524607999, "2049-12-31T23:59:59Z");
    check_time(INT64_C(253402300799), "9999-12-31T23:59:59Z");
    assert_int_equal(att_time_parse("1756530546", &t), 0);
    assert_int_equal(t, 1756530546);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        if (att_time_parse(bad[i], &t) == 0) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

/* Every verifier of the table names what it promises. */
static void test_verifiers_have_their_contract(void **state)
{
    size_t count = 0;

    for (; att_verifiers[count] != NULL; count++) {
        assert_non_null(att_verifiers[count]->name);
        assert_non_null(att_verifiers[count]->recognises);
        assert_non_null(att_verifiers[count]->verify);
        assert_non_null(att_verifiers[count]->inspect);
        assert_true((att_verifiers[count]->claim_groups & ATT_GROUP_APPRAISED) != 0);
        assert_false(att_verifiers[count]->recognises((const uint8_t *)"", 0));
    }
    assert_true(count >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_has_every_reason),
        cmocka_unit_test(test_document_has_every_status),
        cmocka_unit_test(test_document_has_every_claim),
        cmocka_unit_test(test_codes_are_lower_case_and_distinct),
        cmocka_unit_test(test_status_from_name_is_exact),
        cmocka_unit_test(test_claim_format_fits_every_claim),
        cmocka_unit_test(test_time_goes_both_ways),
        cmocka_unit_test(test_verifiers_have_their_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
