/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* tests/vectors/attest: each case changes one thing of a good one and names what must come out. */

#include <pthread.h>
#include <string.h>

#include "unit/attest/case.h"
#include "unit/unit.h"

static void check_status(enum att_tcb_status have, json_t *expected, const char *key)
{
    const char *want = json_string_value(json_object_get(expected, key));

    if (want != NULL) {
        assert_string_equal(att_tcb_status_name(have), want);
    }
}

static void check_good(const char *name, const struct test_case *c, const struct att_claims *claims)
{
    json_t *ids = json_object_get(c->expected, "advisory_ids");
    json_t *window = json_object_get(c->expected, "window");

    print_message("# %s: %s\n", name, att_tcb_status_name(claims->tcb_status));
    check_status(claims->tcb_status, c->expected, "final_status");
    check_status(claims->platform_status, c->expected, "platform_status");
    check_status(claims->qe_status, c->expected, "qe_status");
    check_status(claims->module_status, c->expected, "module_status");
    check_status(claims->current_status, c->expected, "current_status");
    assert_int_equal((claims->groups & ATT_GROUP_MODULE) != 0,
                     json_is_string(json_object_get(c->expected, "module_status")));
    assert_int_equal((claims->groups & ATT_GROUP_TD15) != 0,
                     json_is_string(json_object_get(c->expected, "current_status")));
    assert_true(claims->debug == json_is_true(json_object_get(c->expected, "debug")));
    assert_int_equal(claims->root_class, ATT_ROOT_SOFTWARE);
    assert_string_equal(claims->evidence_type,
                        (claims->groups & ATT_GROUP_TDX) != 0 ? "tdx-dcap" : "sgx-dcap");
    assert_int_equal((claims->groups & ATT_GROUP_SGX) != 0, (claims->groups & ATT_GROUP_TDX) == 0);
    assert_int_equal(claims->quote_version,
                     json_integer_value(json_object_get(c->expected, "quote_version")));
    assert_int_equal(claims->advisory_count, json_array_size(ids));
    for (size_t i = 0; i < claims->advisory_count; i++) {
        assert_string_equal(claims->advisories[i].id, json_string_value(json_array_get(ids, i)));
    }
    assert_int_equal(claims->valid_from, json_integer_value(json_array_get(window, 0)));
    assert_int_equal(claims->valid_until, json_integer_value(json_array_get(window, 1)));
}

static void check_refused(const char *name, const char *want, int r, const struct att_reason *why)
{
    print_message("# %s: %s (%s)\n", name, att_code_name(why->code), why->detail);
    assert_true(r < 0);
    assert_string_equal(att_code_name(why->code), want);
    assert_true(why->detail[0] != '\0');
}

static void test_verify_each_case_gives_what_it_names(void **state)
{
    _cleanup_free_ char *dir = own_vectors_dir("");
    struct att_root root;
    char **names;
    size_t count = list_cases(dir, "", &names);

    assert_true(count >= 70);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    for (size_t i = 0; i < count; i++) {
        struct att_claims claims;
        struct att_reason why = {0};
        struct test_case c;
        const char *refusal;
        int r;

        own_case(names[i], &c);
        refusal = json_string_value(json_object_get(c.expected, "refusal"));
        memset(&claims, 0x5a, sizeof(claims));
        r = case_verify(&c, &root, OWN_VERIFY_TIME, &claims, &why);
        if (refusal != NULL) {
            check_refused(names[i], refusal, r, &why);
            assert_int_equal(claims.groups, 0x5a5a5a5a); /* untouched */
        } else {
            if (r != 0) {
                fail_msg("%s: %s (%s)", names[i], att_code_name(why.code), why.detail);
            }
            check_good(names[i], &c, &claims);
        }
        case_free(&c);
    }
    free_names(names);
}

static bool is_too_early(enum att_code code)
{
    return code == ATT_CERT_NOT_YET_VALID || code == ATT_CRL_NOT_YET_VALID ||
           code == ATT_TCB_INFO_NOT_YET_VALID || code == ATT_QE_IDENTITY_NOT_YET_VALID;
}

static bool is_too_late(enum att_code code)
{
    return code == ATT_CERT_EXPIRED || code == ATT_CRL_EXPIRED || code == ATT_TCB_INFO_EXPIRED ||
           code == ATT_QE_IDENTITY_EXPIRED;
}

/* Each item in turn has the narrowest period. */
static void test_verify_window_edges_are_inclusive(void **state)
{
    static const char *const names[] = {"up-to-date",        "narrow-leaf",    "narrow-issuer",
                                        "narrow-signer",     "narrow-pck-crl", "narrow-tcb-info",
                                        "narrow-qe-identity"};
    struct att_root root;

    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct att_claims claims;
        struct att_reason why;
        struct test_case c;
        int64_t from;
        int64_t until;

        own_case(names[i], &c);
        assert_int_equal(case_verify(&c, &root, OWN_VERIFY_TIME, &claims, &why), 0);
        from = claims.valid_from;
        until = claims.valid_until;
        assert_int_equal(case_verify(&c, &root, from, &claims, &why), 0);
        assert_int_equal(case_verify(&c, &root, until, &claims, &why), 0);
        assert_int_equal(case_verify(&c, &root, from - 1, &claims, &why), -EKEYEXPIRED);
        assert_true(is_too_early(why.code));
        assert_int_equal(case_verify(&c, &root, until + 1, &claims, &why), -EKEYEXPIRED);
        assert_true(is_too_late(why.code));
        assert_int_equal(case_verify(&c, &root, INT64_MIN, &claims, &why), -EKEYEXPIRED);
        assert_int_equal(case_verify(&c, &root, INT64_MAX, &claims, &why), -EKEYEXPIRED);
        case_free(&c);
    }
}

static void test_verify_other_root_is_untrusted(void **state)
{
    struct att_claims claims;
    struct att_reason why = {0};
    struct att_root other;
    struct test_case c;

    own_case("up-to-date", &c);
    own_root("other_root.pem", ATT_ROOT_SOFTWARE, &other);
    assert_int_equal(case_verify(&c, &other, OWN_VERIFY_TIME, &claims, &why), -EKEYREJECTED);
    assert_int_equal(why.code, ATT_ROOT_UNTRUSTED);
    assert_int_equal(case_verify(&c, &att_root_intel, OWN_VERIFY_TIME, &claims, &why),
                     -EKEYREJECTED);
    assert_int_equal(why.code, ATT_ROOT_UNTRUSTED);
    case_free(&c);
}

/* A root that claims to be hardware must issue under Intel's names, else any CA below it could sign
 * TCB infos. */
static void test_verify_hardware_root_wants_intels_names(void **state)
{
    struct att_claims claims;
    struct att_reason why = {0};
    struct att_root root;
    struct test_case c;

    own_case("up-to-date", &c);
    own_root("root.pem", ATT_ROOT_HARDWARE, &root);
    assert_int_equal(case_verify(&c, &root, OWN_VERIFY_TIME, &claims, &why), -EKEYREJECTED);
    assert_int_equal(why.code, ATT_CHAIN_BROKEN);
    case_free(&c);
}

static void test_verify_hardware_root_checks_each_name(void **state)
{
    static const struct {
        const char *name;
        const char *what; /* the certificate that is refused; NULL: none is */
    } cases[] = {
        {"intel-names", NULL},
        {"intel-names-but-issuer", "PCK issuer certificate"},
        {"intel-names-but-leaf", "PCK certificate"},
        {"intel-names-but-signer", "TCB signing certificate"},
    };
    struct att_root root;

    own_root("root.pem", ATT_ROOT_HARDWARE, &root);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct att_claims claims;
        struct att_reason why = {0};
        struct test_case c;
        int r;

        own_case(cases[i].name, &c);
        r = case_verify(&c, &root, OWN_VERIFY_TIME, &claims, &why);
        if (cases[i].what == NULL) {
            assert_int_equal(r, 0);
            assert_int_equal(claims.root_class, ATT_ROOT_HARDWARE);
            assert_string_equal(claims.root_name, "nacre test root CA");
        } else {
            assert_int_equal(r, -EKEYREJECTED);
            assert_int_equal(why.code, ATT_CHAIN_BROKEN);
            assert_int_equal(strncmp(why.detail, cases[i].what, strlen(cases[i].what)), 0);
        }
        case_free(&c);
    }
}

static void test_verify_second_trusted_root_is_found(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    struct att_collateral_info info;
    struct att_collateral_input input;
    struct att_root roots[2] = {att_root_intel};
    struct test_case c;

    own_case("up-to-date", &c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &roots[1]);
    input = case_input(&c);
    assert_int_equal(att_collateral_new(&input, roots, 2, &collateral, NULL), 0);
    att_collateral_info(collateral, &info);
    assert_int_equal(info.root_class, ATT_ROOT_SOFTWARE);
    assert_string_equal(info.root_name, "nacre test root CA");
    assert_false(info.tdx);
    assert_int_equal(info.tcb_evaluation_number, 17);
    assert_true(info.valid_from <= OWN_VERIFY_TIME && info.valid_until >= OWN_VERIFY_TIME);
    assert_int_equal(info.issued_at, OWN_VERIFY_TIME - 10 * 86400); /* the older of the two */
    case_free(&c);
}

static void check_collateral_size(size_t offset, size_t max, enum att_code want)
{
    struct test_case c;
    struct att_root root;
    struct att_collateral_input input;
    struct att_blob *blob;
    uint8_t *large = calloc(1, max + 1);

    assert_non_null(large);
    own_case("up-to-date", &c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    for (int empty = 0; empty < 2; empty++) {
        struct att_collateral *collateral = NULL;
        struct att_reason why = {0};

        input = case_input(&c);
        blob = (struct att_blob *)(void *)((char *)&input + offset);
        *blob = (struct att_blob){.data = large, .size = empty != 0 ? 0 : max + 1};
        assert_true(att_collateral_new(&input, &root, 1, &collateral, &why) < 0);
        assert_int_equal(why.code, want);
        assert_non_null(strstr(why.detail, " bytes"));
    }
    case_free(&c);
    free(large);
}

static void test_collateral_sizes_are_limited(void **state)
{
#define FILE_OF(member) offsetof(struct att_collateral_input, member)
    check_collateral_size(FILE_OF(tcb_info), ATT_JSON_MAX, ATT_TCB_INFO_MALFORMED);
    check_collateral_size(FILE_OF(qe_identity), ATT_JSON_MAX, ATT_QE_IDENTITY_MALFORMED);
    check_collateral_size(FILE_OF(tcb_signing_chain), ATT_CHAIN_MAX, ATT_PEM_MALFORMED);
    check_collateral_size(FILE_OF(pck_crl), ATT_CRL_MAX, ATT_CRL_MALFORMED);
    check_collateral_size(FILE_OF(root_ca_crl), ATT_CRL_MAX, ATT_CRL_MALFORMED);
#undef FILE_OF
}

static void test_collateral_pck_chain_size_is_limited(void **state)
{
    struct att_collateral *collateral = NULL;
    struct att_collateral_input input;
    struct att_reason why = {0};
    struct att_root root;
    struct test_case c;

    own_case("up-to-date", &c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    input = case_input(&c);
    input.pck_chain = (struct att_blob){.data = c.quote.data, .size = ATT_CHAIN_MAX + 1};
    assert_true(att_collateral_new(&input, &root, 1, &collateral, &why) < 0);
    assert_int_equal(why.code, ATT_PEM_MALFORMED);
    case_free(&c);
}

static void test_verify_evidence_size_is_limited(void **state)
{
    uint8_t *large = calloc(1, ATT_EVIDENCE_MAX + 1);
    struct att_claims claims;
    struct att_reason why = {0};
    struct test_case c;

    assert_non_null(large);
    own_case("up-to-date", &c);
    memcpy(large, c.quote.data, c.quote.size);
    assert_true(att_inspect(large, ATT_EVIDENCE_MAX + 1, &claims, &why) < 0);
    assert_int_equal(why.code, ATT_QUOTE_MALFORMED);
    assert_non_null(strstr(why.detail, "at most"));
    assert_true(att_inspect(large, 7, &claims, &why) < 0);
    assert_int_equal(why.code, ATT_EVIDENCE_UNKNOWN);
    case_free(&c);
    free(large);
}

/* --- the remembered issuer --- */

static void test_verify_remembers_issuer_without_changing_verdicts(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    struct att_collateral_input input;
    struct att_claims first;
    struct att_claims again;
    struct att_reason why;
    struct att_root root;
    struct test_case c;
    struct test_case bad;

    own_case("up-to-date", &c);
    own_case("leaf-by-another-key", &bad);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    input = case_input(&c);
    assert_int_equal(att_collateral_new(&input, &root, 1, &collateral, &why), 0);
    assert_int_equal(
        att_verify(c.quote.data, c.quote.size, collateral, OWN_VERIFY_TIME, &first, &why), 0);
    assert_int_equal(
        att_verify(bad.quote.data, bad.quote.size, collateral, OWN_VERIFY_TIME, &again, &why),
        -EKEYREJECTED);
    assert_int_equal(why.code, ATT_CHAIN_BROKEN);
    assert_int_equal(
        att_verify(c.quote.data, c.quote.size, collateral, OWN_VERIFY_TIME, &again, &why), 0);
    assert_memory_equal(&first, &again, sizeof(first));
    /* Remembered, yet its time is still looked at. */
    assert_int_equal(
        att_verify(c.quote.data, c.quote.size, collateral, first.valid_until + 1, &again, &why),
        -EKEYEXPIRED);
    case_free(&c);
    case_free(&bad);
}

struct worker {
    const struct test_case *good;
    const struct test_case *bad;
    const struct att_collateral *collateral;
    size_t failures;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct att_claims claims;
    struct att_reason why;

    for (size_t i = 0; i < 40; i++) {
        w->failures += att_verify(w->good->quote.data, w->good->quote.size, w->collateral,
                                  OWN_VERIFY_TIME, &claims, &why) != 0;
        w->failures += att_verify(w->bad->quote.data, w->bad->quote.size, w->collateral,
                                  OWN_VERIFY_TIME, &claims, &why) == 0;
    }
    return NULL;
}

static void test_verify_one_collateral_serves_many_threads(void **state)
{
    _cleanup_(att_collateral_freep) struct att_collateral *collateral = NULL;
    struct att_collateral_input input;
    struct worker workers[4];
    pthread_t threads[4];
    struct att_root root;
    struct test_case good;
    struct test_case bad;

    own_case("up-to-date", &good);
    own_case("qe-report-data-not-padded", &bad);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    input = case_input(&good);
    assert_int_equal(att_collateral_new(&input, &root, 1, &collateral, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){&good, &bad, collateral, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(workers[i].failures, 0);
    }
    case_free(&good);
    case_free(&bad);
}

/* --- looking without verifying, and appraisal --- */

static void test_inspect_shows_but_does_not_appraise(void **state)
{
    struct att_policy everything = {.tolerate = ~0u, .allow_debug = true, .allow_software = true};
    struct att_claims claims;
    struct att_reason why = {0};
    struct test_case c;

    own_case("up-to-date", &c);
    assert_int_equal(att_inspect(c.quote.data, c.quote.size, &claims, &why), 0);
    assert_int_equal(claims.isv_prod_id, 3);
    assert_int_equal(claims.groups & ATT_GROUP_APPRAISED, 0);
    assert_true(att_appraise(&claims, &everything, &why) < 0);
    case_free(&c);
    own_case("tdx-v5-15", &c);
    memset(&claims, 0, sizeof(claims));
    assert_int_equal(att_inspect(c.quote.data, c.quote.size, &claims, &why), 0);
    assert_true((claims.groups & ATT_GROUP_TD15_BODY) != 0);
    assert_int_equal(claims.groups & (ATT_GROUP_APPRAISED | ATT_GROUP_SGX), 0);
    assert_true(att_inspect("GIF89a", 6, &claims, &why) < 0);
    assert_int_equal(why.code, ATT_EVIDENCE_UNKNOWN);
    case_free(&c);
}

static void verify_own(const char *name, struct att_claims *claims)
{
    struct att_reason why;
    struct att_root root;
    struct test_case c;

    own_case(name, &c);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &root);
    assert_int_equal(case_verify(&c, &root, OWN_VERIFY_TIME, claims, &why), 0);
    case_free(&c);
}

static void test_appraise_zero_policy_is_the_strictest(void **state)
{
    const struct att_policy strict = {0};
    struct att_policy policy = {0};
    struct att_claims claims;
    struct att_reason why = {0};

    verify_own("debug", &claims);
    assert_int_equal(att_appraise(&claims, &strict, &why), -EACCES);
    assert_int_equal(why.code, ATT_ROOT_CLASS);
    policy.allow_software = true;
    assert_int_equal(att_appraise(&claims, &policy, &why), -EACCES);
    assert_int_equal(why.code, ATT_DEBUG);
    policy.allow_debug = true;
    assert_int_equal(att_appraise(&claims, &policy, &why), 0);
}

static void test_appraise_tolerates_exactly_the_named_status(void **state)
{
    static const struct {
        const char *name;
        enum att_tcb_status status;
    } cases[] = {
        {"status-swhardeningneeded", ATT_TCB_SWHardeningNeeded},
        {"status-configurationneeded", ATT_TCB_ConfigurationNeeded},
        {"status-configurationandswhardeningneeded", ATT_TCB_ConfigurationAndSWHardeningNeeded},
        {"status-outofdate", ATT_TCB_OutOfDate},
        {"status-outofdateconfigurationneeded", ATT_TCB_OutOfDateConfigurationNeeded},
        {"tdx-relaunch-advised", ATT_TCB_TDRelaunchAdvised},
        {"status-revoked", ATT_TCB_Revoked},
        {"status-tcb-not-supported", ATT_TCB_TCB_NOT_SUPPORTED},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct att_claims claims;
        struct att_reason why = {0};

        verify_own(cases[i].name, &claims);
        assert_int_equal(claims.tcb_status, cases[i].status);
        for (unsigned s = 0; s < ATT_TCB_COUNT_; s++) {
            struct att_policy policy = {.tolerate = 1u << s, .allow_software = true};
            bool ok = s == cases[i].status && att_tcb_status_tolerable(cases[i].status);

            assert_int_equal(att_appraise(&claims, &policy, &why), ok ? 0 : -EACCES);
            if (!ok) {
                assert_int_equal(why.code, ATT_TCB_STATUS);
            }
        }
    }
}

static void test_appraise_advisories_must_all_be_ignored(void **state)
{
    static const char *const one[] = {"NACRE-SA-00001"};
    static const char *const both[] = {"NACRE-SA-00002", "NACRE-SA-00001"};
    struct att_policy policy = {
        .tolerate = ATT_TOLERATE(ConfigurationAndSWHardeningNeeded),
        .allow_software = true,
        .check_advisories = true,
    };
    struct att_claims claims;
    struct att_reason why = {0};

    verify_own("status-configurationandswhardeningneeded", &claims);
    assert_int_equal(att_appraise(&claims, &policy, &why), -EACCES);
    assert_int_equal(why.code, ATT_ADVISORY);
    policy.ignore_count = 1;
    policy.ignore_advisories = one;
    assert_int_equal(att_appraise(&claims, &policy, &why), -EACCES);
    assert_string_equal(why.detail, "NACRE-SA-00002");
    policy.ignore_count = 2;
    policy.ignore_advisories = both;
    assert_int_equal(att_appraise(&claims, &policy, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_each_case_gives_what_it_names),
        cmocka_unit_test(test_verify_window_edges_are_inclusive),
        cmocka_unit_test(test_verify_other_root_is_untrusted),
        cmocka_unit_test(test_verify_hardware_root_wants_intels_names),
        cmocka_unit_test(test_verify_hardware_root_checks_each_name),
        cmocka_unit_test(test_verify_second_trusted_root_is_found),
        cmocka_unit_test(test_collateral_sizes_are_limited),
        cmocka_unit_test(test_collateral_pck_chain_size_is_limited),
        cmocka_unit_test(test_verify_evidence_size_is_limited),
        cmocka_unit_test(test_verify_remembers_issuer_without_changing_verdicts),
        cmocka_unit_test(test_verify_one_collateral_serves_many_threads),
        cmocka_unit_test(test_inspect_shows_but_does_not_appraise),
        cmocka_unit_test(test_appraise_zero_policy_is_the_strictest),
        cmocka_unit_test(test_appraise_tolerates_exactly_the_named_status),
        cmocka_unit_test(test_appraise_advisories_must_all_be_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
