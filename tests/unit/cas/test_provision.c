/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/*
 * Provisioning below the network. Recorded quotes cannot match a live connection, so what the
 * connection wants is given here as the quote's own report data: the one thing a server computes
 * itself, and the only thing these tests put in its place.
 */

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/case.h"
#include "base/alloc.h"
#include "cas/cas_fixture.h"
#include "cas/provision.h"
#include "core/hex.h"

static unsigned g_sessions;

/* A new session with a service 'app' of this enclave and this text under 'attestation:'. */
static void put_session(const char *mrenclave, const char *security, char ret_name[static 32])
{
    const struct cas_caller who = {.policy.has_key = true, .peer = "192.0.2.1"};
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *text = NULL;
    struct cas_put_result result;

    (void)snprintf(ret_name, 32, "s%u", g_sessions++);
    assert_true(asprintf(&text,
                         "{name: %s, version: '0.3', security: {attestation: {%s}}, services: "
                         "[{name: app, command: /app, mrenclaves: [%s]}]}",
                         ret_name, security, mrenclave) > 0);
    if (cas_session_put(g_cas, &who, text, strlen(text), &d, &result, &err) < 0) {
        fail_msg("%s: %s", error_text(err), d.count > 0 ? d.items[0].text : text);
    }
}

/* What became of it: 0, or -EACCES with the kind of refusal counted last. */
static int provision(struct evidence *e, const char *session, const struct bytes *quote,
                     const uint8_t expected[static 64], enum refusal *ret_refusal)
{
    struct provision_request req = {.has_quote = true, .service = "app"};
    const struct provision_call call = {.request = &req, .expected = expected, .peer = "x"};
    _cleanup_provision_result_ struct provision_result result = {0};
    _cleanup_error_ struct error *err = NULL;
    struct cas_stats before;
    struct cas_stats after;
    int r;

    (void)snprintf(req.session, sizeof(req.session), "%s", session);
    req.quote = quote->data; /* stays the test's */
    req.quote_size = quote->size;
    assert_int_equal(cas_stats(g_cas, &before, NULL), 0);
    r = cas_provision(g_cas, e, &call, &result, &err);
    assert_int_equal(cas_stats(g_cas, &after, NULL), 0);
    assert_int_equal(after.audit_seq, before.audit_seq + 1);
    if (r == 0) {
        assert_int_equal(after.provisioned, before.provisioned + 1);
        assert_true(result.document.size > 10);
        return 0;
    }
    assert_null(result.document.p);
    assert_int_equal(strlen(result.reference), PROVISION_REFERENCE);
    *ret_refusal = REFUSAL_COUNT;
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        if (after.refused[i] == before.refused[i] + 1) {
            *ret_refusal = (enum refusal)i;
        }
    }
    return r;
}

static void refused(struct evidence *e, const char *session, const struct bytes *quote,
                    const uint8_t expected[static 64], enum refusal want)
{
    enum refusal got;

    assert_int_equal(provision(e, session, quote, expected, &got), -EACCES);
    assert_string_equal(refusal_name(got), refusal_name(want));
}

static void open_evidence(const char *dir, bool software, struct evidence **ret)
{
    static const char *dirs[1];
    const struct evidence_options o = {
        .dir_count = software ? 0 : 1,
        .dirs = dirs,
        .software_count = software ? 1 : 0,
        .software_dirs = dirs,
    };
    _cleanup_error_ struct error *err = NULL;

    dirs[0] = dir;
    if (evidence_new(&o, ret, &err) < 0) {
        fail_msg("%s: %s", dir, error_text(err));
    }
}

/* ---- real evidence -------------------------------------------------------------------------- */

/* What a session must say to accept exactly this status. */
static const struct {
    const char *status;
    const char *words[3];
} tolerated[] = {
    {"UpToDate", {NULL}},
    {"SWHardeningNeeded", {"software-hardening-needed"}},
    {"ConfigurationNeeded", {"insecure-configuration"}},
    {"ConfigurationAndSWHardeningNeeded", {"software-hardening-needed", "insecure-configuration"}},
    {"OutOfDate", {"outdated-tcb"}},
    {"OutOfDateConfigurationNeeded", {"outdated-tcb", "insecure-configuration"}},
};

static const char *const *words_for(const char *status)
{
    for (size_t i = 0; i < ARRAY_COUNT(tolerated); i++) {
        if (strcmp(tolerated[i].status, status) == 0) {
            return tolerated[i].words;
        }
    }
    fail_msg("no session can accept %s", status);
    return NULL;
}

/* The text for 'attestation:'; `without`: leaves this word or advisory out (it may be NULL). */
static void security_text(const struct test_case *c, const char *without, char *ret, size_t size)
{
    const char *status = json_string_value(json_object_get(c->expected, "final_status"));
    json_t *ids = json_object_get(json_object_get(c->expected, "launch"), "advisory_ids");
    const char *const *words = words_for(status);
    size_t at = (size_t)snprintf(ret, size, "mode: hardware, tolerate: [");

    for (size_t i = 0; i < 3 && words[i] != NULL; i++) {
        if (without == NULL || strcmp(words[i], without) != 0) {
            at += (size_t)snprintf(ret + at, size - at, "%s, ", words[i]);
        }
    }
    if (json_is_true(json_object_get(c->expected, "debug")) &&
        (without == NULL || strcmp(without, "debug-mode") != 0)) {
        at += (size_t)snprintf(ret + at, size - at, "debug-mode, ");
    }
    at += (size_t)snprintf(ret + at, size - at, "], ignore_advisories: [");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        bool again = without != NULL && strcmp(without, id) == 0;

        for (size_t j = 0; j < i; j++) {
            again = again || strcmp(json_string_value(json_array_get(ids, j)), id) == 0;
        }
        if (!again) {
            at += (size_t)snprintf(ret + at, size - at, "%s, ", id);
        }
    }
    (void)snprintf(ret + at, size - at, "]");
    assert_true(at < size - 2);
}

static void check_without(struct evidence *e, const struct test_case *c, const char *mrenclave,
                          const char *without, const uint8_t data[static 64], enum refusal want)
{
    char text[2048];
    char name[32];

    security_text(c, without, text, sizeof(text));
    put_session(mrenclave, text, name);
    refused(e, name, &c->quote, data, want);
}

static void check_real(const char *dir)
{
    _cleanup_(case_free) struct test_case c = {0};
    _cleanup_evidence_ struct evidence *e = NULL;
    struct att_claims claims;
    struct att_reason why;
    char mrenclave[65];
    char text[2048];
    char name[32];
    uint8_t other[64];
    json_t *ids;
    const char *const *words;
    enum refusal refusal;

    case_load(dir, &c);
    open_evidence(dir, /*software=*/false, &e);
    g_now = json_integer_value(json_object_get(c.expected, "verify_time"));
    assert_int_equal(att_inspect(c.quote.data, c.quote.size, &claims, &why), 0);
    hex_encode(mrenclave, claims.mrenclave, sizeof(claims.mrenclave));
    security_text(&c, NULL, text, sizeof(text));
    put_session(mrenclave, text, name);
    if (provision(e, name, &c.quote, claims.report_data, &refusal) != 0) {
        fail_msg("%s: refused (%s) although its status is tolerated: %s", dir,
                 refusal_name(refusal), text);
    }
    /* The same quote on another connection, and a second too late. */
    memcpy(other, claims.report_data, sizeof(other));
    other[63] ^= 1;
    refused(e, name, &c.quote, other, REFUSAL_BINDING);
    g_now = json_integer_value(json_array_get(json_object_get(c.expected, "window"), 1)) + 1;
    refused(e, name, &c.quote, claims.report_data, REFUSAL_EVIDENCE);
    g_now = json_integer_value(json_object_get(c.expected, "verify_time"));
    /* Every single thing that is tolerated was needed. */
    words = words_for(json_string_value(json_object_get(c.expected, "final_status")));
    for (size_t i = 0; i < 3 && words[i] != NULL; i++) {
        check_without(e, &c, mrenclave, words[i], claims.report_data, REFUSAL_APPRAISAL);
    }
    if (claims.debug) {
        check_without(e, &c, mrenclave, "debug-mode", claims.report_data, REFUSAL_APPRAISAL);
    }
    ids = json_object_get(json_object_get(c.expected, "launch"), "advisory_ids");
    for (size_t i = 0; i < json_array_size(ids); i++) {
        check_without(e, &c, mrenclave, json_string_value(json_array_get(ids, i)),
                      claims.report_data, REFUSAL_POLICY);
    }
    /* And of another enclave it says nothing. */
    put_session("0000000000000000000000000000000000000000000000000000000000000001", text, name);
    refused(e, name, &c.quote, claims.report_data, REFUSAL_POLICY);
}

static void test_real_quotes_are_accepted_by_exactly_their_policy(void **state)
{
    _cleanup_free_ char *dir = vectors_dir("cases");
    char **names = NULL;
    size_t count;

    if (dir == NULL) {
        skip();
    }
    count = list_cases(dir, "q3-sgx-", &names);
    assert_true(count >= 7);
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *one = NULL;

        assert_true(asprintf(&one, "%s/%s", dir, names[i]) > 0);
        check_real(one);
    }
    free_names(names);
}

/* TDX quotes verify, but nobody announced them. */
static void test_other_evidence_is_refused(void **state)
{
    _cleanup_free_ char *dir = vectors_dir("cases/q4-tdx10-dcap-qvl-tdx-quote-a");
    _cleanup_(case_free) struct test_case c = {0};
    _cleanup_evidence_ struct evidence *e = NULL;
    struct att_claims claims;
    struct att_reason why;
    char name[32];

    if (dir == NULL) {
        skip();
    }
    case_load(dir, &c);
    open_evidence(dir, /*software=*/false, &e);
    g_now = json_integer_value(json_object_get(c.expected, "verify_time"));
    assert_int_equal(att_inspect(c.quote.data, c.quote.size, &claims, &why), 0);
    put_session("0000000000000000000000000000000000000000000000000000000000000000",
                "mode: hardware", name);
    refused(e, name, &c.quote, claims.report_data, REFUSAL_EVIDENCE);
}

/* ---- evidence of our own -------------------------------------------------------------------- */

static bool same(const struct bytes *a, const struct bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/* This test is about quotes under the collateral of the lab. */
static bool same_collateral(const struct test_case *a, const struct test_case *b)
{
    return same(&a->tcb_info, &b->tcb_info) && same(&a->qe_identity, &b->qe_identity) &&
           same(&a->signing_chain, &b->signing_chain) && same(&a->pck_crl, &b->pck_crl) &&
           same(&a->root_crl, &b->root_crl) && same(&a->pck_chain, &b->pck_chain);
}

/* Every vector of the verifier, under a session that accepts everything that can be accepted. */
static void test_own_vectors_end_as_they_should(void **state)
{
    _cleanup_free_ char *base = own_vectors_dir("");
    _cleanup_free_ char *common = own_vectors_dir("up-to-date");
    _cleanup_(case_free) struct test_case good = {0};
    _cleanup_evidence_ struct evidence *e = NULL;
    struct att_claims claims;
    struct att_reason why;
    char mrenclave[65];
    char root[65];
    char text[512];
    char name[32];
    uint8_t id[32];
    struct att_root lab;
    char **names = NULL;
    size_t seen = 0;
    size_t count;

    own_case("up-to-date", &good);
    open_evidence(common, /*software=*/true, &e);
    g_now = OWN_VERIFY_TIME;
    assert_int_equal(att_inspect(good.quote.data, good.quote.size, &claims, &why), 0);
    own_root("root.pem", ATT_ROOT_SOFTWARE, &lab);
    evidence_key_id(lab.key, id);
    hex_encode(root, id, sizeof(id));
    hex_encode(mrenclave, claims.mrenclave, sizeof(claims.mrenclave));
    (void)snprintf(text, sizeof(text),
                   "mode: software, software_roots: [%s], tolerate: [debug-mode, outdated-tcb, "
                   "insecure-configuration, software-hardening-needed], ignore_advisories: '*'",
                   root);
    put_session(mrenclave, text, name);
    count = list_cases(base, "", &names);
    for (size_t i = 0; i < count; i++) {
        _cleanup_(case_free) struct test_case c = {0};
        const char *status;
        enum refusal refusal;
        int r;

        own_case(names[i], &c);
        if (!same_collateral(&c, &good)) {
            continue;
        }
        if (att_inspect(c.quote.data, c.quote.size, &claims, &why) < 0) {
            memset(&claims, 0, sizeof(claims));
        }
        status = json_string_value(json_object_get(c.expected, "final_status"));
        r = provision(e, name, &c.quote, claims.report_data, &refusal);
        seen++;
        if (status != NULL && (claims.groups & ATT_GROUP_SGX) != 0 &&
            strcmp(status, "Revoked") != 0 && strcmp(status, "TCB_NOT_SUPPORTED") != 0) {
            if (r != 0) {
                fail_msg("%s: refused: %s", names[i], refusal_name(refusal));
            }
        } else if (r != -EACCES) {
            fail_msg("%s: ended with %d", names[i], r);
        }
    }
    assert_true(seen > 40);
    free_names(names);
}

static void test_without_collateral_everything_is_refused(void **state)
{
    const struct evidence_options none = {0};
    _cleanup_(case_free) struct test_case good = {0};
    _cleanup_evidence_ struct evidence *e = NULL;
    struct att_claims claims;
    struct att_reason why;
    char name[32];

    own_case("up-to-date", &good);
    assert_int_equal(evidence_new(&none, &e, NULL), 0);
    assert_int_equal(att_inspect(good.quote.data, good.quote.size, &claims, &why), 0);
    put_session("0000000000000000000000000000000000000000000000000000000000000000",
                "mode: hardware", name);
    refused(e, name, &good.quote, claims.report_data, REFUSAL_EVIDENCE);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void test_report_data_is_that_of_the_format(void **state)
{
    /* python3: b"nacre/p1" + sha512(b"nacre provisioning v1\0" + bytes(range(32)) + b"\3\0a/b" +
     * b"\3\0app").digest()[:56] */
    static const char want[] = "6e616372652f7031560a9917162d1490f845b4152d5f1547727c3c6f6f2b6b8540"
                               "8d9a25ff458ea14f9e7cced29893c6ef1fa4b9401d3f5b8142fc9026c3c233";
    uint8_t exporter[32];
    uint8_t data[64];
    char hex[129];

    for (size_t i = 0; i < sizeof(exporter); i++) {
        exporter[i] = (uint8_t)i;
    }
    provision_report_data(exporter, "a/b", "app", data);
    hex_encode(hex, data, sizeof(data));
    assert_string_equal(hex, want);
    provision_report_data(exporter, "a", "b/app", data);
    hex_encode(hex, data, sizeof(data));
    assert_string_not_equal(hex, want);
}

static void test_requests_are_read_whole_or_not_at_all(void **state)
{
    static const char good[] = "{\"version\":1,\"session\":\"a/b\",\"service\":\"c\",\"evidence\":"
                               "{\"type\":\"sgx-dcap\",\"quote\":\"AQID\"}}";
    _cleanup_provision_request_ struct provision_request req = {0};

    assert_int_equal(provision_parse(good, strlen(good), &req, NULL), 0);
    assert_string_equal(req.session, "a/b");
    assert_string_equal(req.service, "c");
    assert_true(req.has_quote);
    assert_int_equal(req.quote_size, 3);
    assert_memory_equal(req.quote, "\1\2\3", 3);
    for (size_t size = 0; size < strlen(good); size++) {
        struct provision_request none = {0};

        assert_int_equal(provision_parse(good, size, &none, NULL), -EINVAL);
        assert_null(none.quote);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_quotes_are_accepted_by_exactly_their_policy),
        cmocka_unit_test(test_other_evidence_is_refused),
        cmocka_unit_test(test_own_vectors_end_as_they_should),
        cmocka_unit_test(test_without_collateral_everything_is_refused),
        cmocka_unit_test(test_report_data_is_that_of_the_format),
        cmocka_unit_test(test_requests_are_read_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, cas_fixture_setup, cas_fixture_teardown);
}
