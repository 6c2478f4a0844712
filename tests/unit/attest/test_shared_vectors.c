/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */

/* Real evidence of other projects, read where it lies and never committed: every verdict, every
 * edge of every validity window, and every single-bit change of MUTATIONS.tsv. */

#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "unit/attest/case.h"
#include "unit/unit.h"

static void assert_hex_claim(json_t *object, const char *key, const void *value, size_t size)
{
    const char *want = json_string_value(json_object_get(object, key));
    char have[160];

    hex_encode(have, value, size);
    assert_non_null(want);
    assert_string_equal(have, want);
}

static const char *text_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void check_advisories(const struct att_claims *claims, json_t *want)
{
    assert_int_equal(claims->advisory_count, json_array_size(want));
    for (size_t i = 0; i < claims->advisory_count; i++) {
        assert_string_equal(claims->advisories[i].id, json_string_value(json_array_get(want, i)));
    }
}

static void check_verdicts(const struct att_claims *claims, json_t *expected)
{
    json_t *launch = json_object_get(expected, "launch");
    json_t *current = json_object_get(expected, "current");
    const char *date = text_of(launch, "tcb_date");
    char when[32];

    assert_string_equal(att_tcb_status_name(claims->tcb_status), text_of(expected, "final_status"));
    /* Where no level matched there is nothing to say about the parts. */
    assert_string_equal(att_tcb_status_name(claims->platform_status),
                        date != NULL ? text_of(launch, "platform_status") : "TCB_NOT_SUPPORTED");
    assert_string_equal(att_tcb_status_name(claims->qe_status),
                        text_of(expected, "qe_identity_status"));
    assert_int_equal(claims->tcb_evaluation_number,
                     json_integer_value(json_object_get(expected, "tcb_eval_data_number")));
    assert_int_equal(claims->qe_isv_svn,
                     json_integer_value(json_object_get(expected, "qe_isvsvn")));
    assert_true(claims->debug == json_is_true(json_object_get(expected, "debug")));
    assert_int_equal((claims->groups & ATT_GROUP_LEVEL) != 0, date != NULL);
    if (date != NULL) {
        att_time_format(claims->tcb_date, when);
        assert_string_equal(when, date);
    }
    if (text_of(launch, "module_status") != NULL) {
        assert_true((claims->groups & ATT_GROUP_MODULE) != 0);
        assert_string_equal(att_tcb_status_name(claims->module_status),
                            text_of(launch, "module_status"));
    }
    assert_int_equal((claims->groups & ATT_GROUP_TD15) != 0, json_is_object(current));
    if (json_is_object(current)) {
        assert_string_equal(att_tcb_status_name(claims->launch_status), text_of(launch, "status"));
        assert_string_equal(att_tcb_status_name(claims->current_status),
                            text_of(current, "status"));
    }
    check_advisories(claims, json_object_get(launch, "advisory_ids"));
}

static void check_report(const struct att_claims *c, json_t *expected)
{
    json_t *r = json_object_get(expected, "report");
    json_t *pck = json_object_get(expected, "pck_tcb");
    json_t *components = json_object_get(pck, "sgx_components");

    assert_hex_claim(r, "rd", c->report_data, sizeof(c->report_data));
    assert_hex_claim(expected, "fmspc", c->fmspc, sizeof(c->fmspc));
    assert_hex_claim(pck, "pceid", c->pce_id, sizeof(c->pce_id));
    assert_hex_claim(pck, "ppid", c->ppid, sizeof(c->ppid));
    assert_hex_claim(pck, "cpusvn", c->pck_cpu_svn, sizeof(c->pck_cpu_svn));
    assert_int_equal(c->pck_pce_svn, json_integer_value(json_object_get(pck, "pcesvn")));
    assert_int_equal(json_array_size(components), 16);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(c->pck_components[i], json_integer_value(json_array_get(components, i)));
    }
    if ((c->groups & ATT_GROUP_SGX) != 0) {
        assert_hex_claim(r, "cpusvn", c->cpu_svn, sizeof(c->cpu_svn));
        assert_hex_claim(r, "mrenclave", c->mrenclave, sizeof(c->mrenclave));
        assert_hex_claim(r, "mrsigner", c->mrsigner, sizeof(c->mrsigner));
        assert_hex_claim(r, "miscselect", &c->miscselect, sizeof(c->miscselect));
        assert_int_equal(c->isv_prod_id, json_integer_value(json_object_get(r, "prodid")));
        assert_int_equal(c->isv_svn, json_integer_value(json_object_get(r, "svn")));
        return;
    }
    assert_hex_claim(r, "tee_tcb_svn", c->tee_tcb_svn, sizeof(c->tee_tcb_svn));
    assert_hex_claim(r, "mrseam", c->mrseam, sizeof(c->mrseam));
    assert_hex_claim(r, "mrsignerseam", c->mrsignerseam, sizeof(c->mrsignerseam));
    assert_hex_claim(r, "tdattr", c->td_attributes, sizeof(c->td_attributes));
    assert_hex_claim(r, "xfam", c->xfam, sizeof(c->xfam));
    assert_hex_claim(r, "mrtd", c->mrtd, sizeof(c->mrtd));
    assert_hex_claim(r, "rtmr0", c->rtmr0, sizeof(c->rtmr0));
    assert_hex_claim(r, "rtmr1", c->rtmr1, sizeof(c->rtmr1));
    assert_hex_claim(r, "rtmr2", c->rtmr2, sizeof(c->rtmr2));
    assert_hex_claim(r, "rtmr3", c->rtmr3, sizeof(c->rtmr3));
}

static bool is_time_reason(enum att_code code)
{
    switch (code) {
    case ATT_CERT_EXPIRED:
    case ATT_CERT_NOT_YET_VALID:
    case ATT_CRL_EXPIRED:
    case ATT_CRL_NOT_YET_VALID:
    case ATT_TCB_INFO_EXPIRED:
    case ATT_TCB_INFO_NOT_YET_VALID:
    case ATT_QE_IDENTITY_EXPIRED:
    case ATT_QE_IDENTITY_NOT_YET_VALID: return true;
    default: return false;
    }
}

static void check_window(const struct test_case *c, const struct att_claims *claims)
{
    json_t *window = json_object_get(c->expected, "window");
    int64_t from = json_integer_value(json_array_get(window, 0));
    int64_t until = json_integer_value(json_array_get(window, 1));
    struct att_claims ignored;
    struct att_reason why;

    assert_int_equal(claims->valid_from, from);
    assert_int_equal(claims->valid_until, until);
    assert_int_equal(case_verify(c, &att_root_intel, from, &ignored, &why), 0);
    assert_int_equal(case_verify(c, &att_root_intel, until, &ignored, &why), 0);
    assert_int_equal(case_verify(c, &att_root_intel, from - 1, &ignored, &why), -EKEYEXPIRED);
    assert_true(is_time_reason(why.code));
    assert_int_equal(case_verify(c, &att_root_intel, until + 1, &ignored, &why), -EKEYEXPIRED);
    assert_true(is_time_reason(why.code));
}

static void check_case(const char *dir)
{
    struct test_case c;
    struct att_claims claims;
    struct att_reason why = {0};
    int64_t time;

    case_load(dir, &c);
    time = json_integer_value(json_object_get(c.expected, "verify_time"));
    if (case_verify(&c, &att_root_intel, time, &claims, &why) != 0) {
        fail_msg("%s: %s: %s", dir, att_code_name(why.code), why.detail);
    }
    assert_int_equal(claims.verified_at, time);
    assert_int_equal(claims.root_class, ATT_ROOT_HARDWARE);
    assert_int_equal(claims.quote_version,
                     json_integer_value(json_object_get(c.expected, "quote_version")));
    assert_string_equal(claims.evidence_type, strcmp(text_of(c.expected, "body_type"), "SGX") == 0
                                                  ? "sgx-dcap"
                                                  : "tdx-dcap");
    check_verdicts(&claims, c.expected);
    check_report(&claims, c.expected);
    check_window(&c, &claims);
    case_free(&c);
}

static void check_all(const char *prefix, size_t at_least)
{
    _cleanup_free_ char *dir = vectors_dir("cases");
    char **names;
    size_t count;

    if (dir == NULL) {
        skip();
    }
    count = list_cases(dir, prefix, &names);
    assert_true(count >= at_least);
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *path = NULL;

        assert_true(asprintf(&path, "%s/%s", dir, names[i]) > 0);
        print_message("# %s\n", names[i]);
        check_case(path);
    }
    free_names(names);
}

static void test_verify_v3_cases_give_their_verdict(void **state)
{
    check_all("q3-", 7);
}

static void test_verify_v4_cases_give_their_verdict(void **state)
{
    check_all("q4-", 4);
}

static void test_verify_v5_cases_give_their_verdict(void **state)
{
    check_all("q5-", 2);
}

/* --- MUTATIONS.tsv --- */

static struct bytes *file_of(struct test_case *c, const char *name)
{
    if (strcmp(name, "quote.bin") == 0) {
        return &c->quote;
    }
    if (strcmp(name, "tcb_info.json") == 0) {
        return &c->tcb_info;
    }
    if (strcmp(name, "qe_identity.json") == 0) {
        return &c->qe_identity;
    }
    if (strcmp(name, "pck_crl.der") == 0) {
        return &c->pck_crl;
    }
    if (strcmp(name, "root_ca_crl.der") != 0) {
        fail_msg("MUTATIONS.tsv names a file of no case: %s", name);
    }
    return &c->root_crl;
}

static void check_mutation(const char *cases, const char *line)
{
    char name[128];
    char file[64];
    char field[64];
    size_t offset;
    unsigned mask;
    struct att_claims claims;
    struct att_reason why = {0};
    _cleanup_free_ char *dir = NULL;
    struct test_case c;
    struct bytes *bytes;
    int64_t time;

    assert_int_equal(
        sscanf(line, "%127[^\t]\t%63[^\t]\t%zu\t%u\t%63[^\t]", name, file, &offset, &mask, field),
        5);
    assert_true(asprintf(&dir, "%s/%s", cases, name) > 0);
    case_load(dir, &c);
    time = json_integer_value(json_object_get(c.expected, "verify_time"));
    assert_int_equal(case_verify(&c, &att_root_intel, time, &claims, &why), 0);
    bytes = file_of(&c, file);
    assert_true(offset < bytes->size);
    bytes->data[offset] ^= (uint8_t)mask;
    if (case_verify(&c, &att_root_intel, time, &claims, &why) == 0) {
        fail_msg("%s: %s byte %zu (%s) was changed and still verifies", name, file, offset, field);
    }
    assert_int_not_equal(why.code, ATT_NONE);
    assert_int_not_equal(why.code, ATT_INTERNAL);
    case_free(&c);
}

static void test_verify_mutated_evidence_is_refused(void **state)
{
    _cleanup_free_ char *dir = vectors_dir("cases");
    char *save = NULL;
    struct bytes table;
    size_t lines = 0;

    if (dir == NULL) {
        skip();
    }
    table = read_bytes(dir, "MUTATIONS.tsv");
    for (char *line = strtok_r((char *)table.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "case\t", 5) == 0) {
            continue;
        }
        check_mutation(dir, line);
        lines++;
    }
    assert_int_equal(lines, 85);
    free(table.data);
}

/* --- Intel's sample, with a root of its own --- */

static void load_sample(const char *dir, struct test_case *c, struct bytes *root)
{
    struct bytes leaf = read_bytes(dir, "pckCert.pem");
    struct bytes issuers = read_bytes(dir, "pckSignChain.pem");

    memset(c, 0, sizeof(*c));
    c->quote = read_bytes(dir, "quote.dat");
    c->tcb_info = read_bytes(dir, "tcbInfo.json");
    c->qe_identity = read_bytes(dir, "qeIdentity.json");
    c->signing_chain = read_bytes(dir, "tcbSignChain.pem");
    c->pck_crl = read_bytes(dir, "intermediateCaCrl.der");
    c->root_crl = read_bytes(dir, "rootCaCrl.der");
    c->pck_chain.size = leaf.size + issuers.size;
    c->pck_chain.data = malloc(c->pck_chain.size);
    assert_non_null(c->pck_chain.data);
    memcpy(c->pck_chain.data, leaf.data, leaf.size);
    memcpy(c->pck_chain.data + leaf.size, issuers.data, issuers.size);
    free(leaf.data);
    free(issuers.data);
    *root = read_bytes(dir, "trustedRootCaCert.pem");
}

static void test_verify_intel_sample_needs_its_own_root(void **state)
{
    _cleanup_free_ char *dir = vectors_dir("intel-qvl-sgx-sample");
    struct att_root root;
    struct att_claims claims;
    struct att_reason why = {0};
    struct test_case c;
    struct bytes pem;
    int64_t from;
    int64_t until;

    if (dir == NULL) {
        skip();
    }
    load_sample(dir, &c, &pem);
    assert_int_equal(att_root_from_cert(pem.data, pem.size, ATT_ROOT_HARDWARE, NULL, &root, &why),
                     0);
    if (case_verify(&c, &root, 1700000000, &claims, &why) != 0) {
        fail_msg("%s: %s", att_code_name(why.code), why.detail);
    }
    assert_int_equal(claims.tcb_status, ATT_TCB_UpToDate);
    from = claims.valid_from;
    until = claims.valid_until;
    /* 2019-09-05 to 2026-08-28 */
    assert_true(from > 1567641600 && from < 1567641600 + 86400);
    assert_true(until > 1787875200 && until < 1787875200 + 86400);
    assert_int_equal(case_verify(&c, &root, from, &claims, &why), 0);
    assert_int_equal(case_verify(&c, &root, until, &claims, &why), 0);
    assert_int_equal(case_verify(&c, &root, from - 1, &claims, &why), -EKEYEXPIRED);
    assert_int_equal(case_verify(&c, &root, until + 1, &claims, &why), -EKEYEXPIRED);
    assert_int_equal(case_verify(&c, &att_root_intel, 1700000000, &claims, &why), -EKEYREJECTED);
    assert_int_equal(why.code, ATT_ROOT_UNTRUSTED);
    free(pem.data);
    case_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_v3_cases_give_their_verdict),
        cmocka_unit_test(test_verify_v4_cases_give_their_verdict),
        cmocka_unit_test(test_verify_v5_cases_give_their_verdict),
        cmocka_unit_test(test_verify_mutated_evidence_is_refused),
        cmocka_unit_test(test_verify_intel_sample_needs_its_own_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
