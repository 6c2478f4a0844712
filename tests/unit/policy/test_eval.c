/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "policy_unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "core/hex.h"
#include "policy/eval.h"
#include "policy/resolve.h"
#include "policy/text.h"

#define SIGNER "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ROOT   "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define QE     "000102030405060708090a0b0c0d0e0f"

static const char head[] =
    "name: s\nversion: '0.3'\nservices:\n"
    "  - name: app\n"
    "    platforms: [INTEL_QE_ID:" QE "]\n"
    "    attestation:\n"
    "      - mrenclave: " MEASURE "\n"
    "        signer: {mrsigner: " SIGNER ", isvprodid: 3, isvsvn_min: 5, isvsvn_max: 7}\n"
    "security:\n  attestation:\n    mode: ";

static struct pol_claims good_claims(void)
{
    struct pol_claims c = {
        .present = true,
        .isvprodid = 3,
        .isvsvn = 6,
        .tcb_status = POL_TCB_UP_TO_DATE,
        .tcb_evaluation = 17,
        .collateral_age = 3600,
    };

    memset(c.mrenclave, 0xaa, 32);
    memset(c.mrsigner, 0xbb, 32);
    memset(c.root_id, 0xcc, 32);
    for (uint8_t i = 0; i < 16; i++) {
        c.qe_id[i] = i;
    }
    return c;
}

/* `want`: part of the reason, or NULL when the evidence is good. */
static void expect(const char *security, const struct pol_claims *c, const char *want)
{
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_error_ struct error *err = NULL;
    _cleanup_free_ char *text = NULL;
    int r;

    assert_true(asprintf(&text, "%s%s\n", head, security) > 0);
    s = must_parse(text);
    r = pol_evaluate(s, "app", c, &err);
    if (want == NULL ? r != 0 : (r != -EACCES || strstr(error_text(err), want) == NULL)) {
        fail_msg("%s: expected '%s', got %d '%s'", security, want != NULL ? want : "good", r,
                 err != NULL ? error_text(err) : "good");
    }
}

static void test_evaluate_enclave_every_part_counts(void **state)
{
    struct pol_claims c = good_claims();

    expect("hardware", &c, NULL);
    for (size_t i = 0; i < 32; i++) {
        c = good_claims();
        c.mrenclave[i] ^= 1;
        expect("hardware", &c, "(MRENCLAVE)");
        c = good_claims();
        c.mrsigner[i] ^= 0x80;
        expect("hardware", &c, "(MRSIGNER)");
    }
    for (size_t i = 0; i < 16; i++) {
        c = good_claims();
        c.qe_id[i] ^= 1;
        expect("hardware", &c, "platforms");
    }
    c = good_claims();
    c.isvprodid = 4;
    expect("hardware", &c, "ISVPRODID");
    c = good_claims();
    c.isvsvn = 4;
    expect("hardware", &c, "too low");
    c.isvsvn = 5;
    expect("hardware", &c, NULL);
    c.isvsvn = 7;
    expect("hardware", &c, NULL);
    c.isvsvn = 8;
    expect("hardware", &c, "too high");
    c = good_claims();
    c.present = false;
    expect("hardware", &c, "no evidence");
    expect("none", &c, NULL);
}

static void test_evaluate_unknown_service_not_found(void **state)
{
    _cleanup_session_ struct pol_session *s = NULL;
    struct pol_claims c = good_claims();
    _cleanup_free_ char *text = NULL;

    assert_true(asprintf(&text, "%shardware\n", head) > 0);
    s = must_parse(text);
    assert_int_equal(pol_evaluate(s, "App", &c, NULL), -ENOENT);
    assert_int_equal(pol_evaluate(s, "", &c, NULL), -ENOENT);
}

static void test_evaluate_software_root_only_in_words(void **state)
{
    struct pol_claims c = good_claims();

    c.software_root = true;
    expect("hardware", &c, "wants hardware");
    expect("software\n    software_roots: [" ROOT "]", &c, NULL);
    c.root_id[31] ^= 1;
    expect("software\n    software_roots: [" ROOT "]", &c, "not among software_roots");
    expect("software\n    software_roots: [" MEASURE ", " ROOT "]", &c, "not among");
    c.software_root = false; /* hardware is more than what was asked for */
    expect("software\n    software_roots: [" ROOT "]", &c, NULL);
}

static void test_evaluate_debug_only_when_tolerated(void **state)
{
    struct pol_claims c = good_claims();

    c.debug = true;
    expect("hardware", &c, "debug");
    expect("hardware\n    tolerate: [outdated-tcb]", &c, "debug");
    expect("hardware\n    tolerate: [debug-mode]", &c, NULL);
}

static void test_evaluate_tcb_status_exactly_what_is_tolerated(void **state)
{
    static const char *const words[] = {"software-hardening-needed", "insecure-configuration",
                                        "outdated-tcb"};
    static const struct {
        enum pol_tcb_status status;
        unsigned needs; /* bits of words */
    } cases[] = {
        {POL_TCB_UP_TO_DATE, 0},           {POL_TCB_SW_HARDENING_NEEDED, 1},
        {POL_TCB_CONFIGURATION_NEEDED, 2}, {POL_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED, 3},
        {POL_TCB_OUT_OF_DATE, 4},          {POL_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, 6},
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        for (unsigned set = 0; set < 8; set++) {
            struct pol_claims c = good_claims();
            char security[160] = "hardware\n    tolerate: [debug-mode";
            size_t at = strlen(security);

            for (unsigned w = 0; w < 3; w++) {
                if ((set & 1u << w) != 0) {
                    at += (size_t)snprintf(security + at, sizeof(security) - at, ", %s", words[w]);
                }
            }
            (void)snprintf(security + at, sizeof(security) - at, "]");
            c.tcb_status = cases[i].status;
            expect(security, &c, (cases[i].needs & ~set) == 0 ? NULL : "not tolerated");
        }
    }
}

static void test_evaluate_revoked_never(void **state)
{
    static const char all[] = "hardware\n    tolerate: [debug-mode, hyperthreading, insecure-igpu, "
                              "software-hardening-needed, aepic-leak, insecure-configuration, "
                              "outdated-tcb]\n    ignore_advisories: '*'";
    struct pol_claims c = good_claims();

    c.tcb_status = POL_TCB_REVOKED;
    expect(all, &c, "revoked");
    c.tcb_status = (enum pol_tcb_status)99;
    expect(all, &c, "unknown");
}

static void test_evaluate_advisories(void **state)
{
    static const char *const list[] = {"INTEL-SA-00161", "INTEL-SA-00657"};
    struct pol_claims c = good_claims();

    c.advisories = list;
    c.advisory_count = 2;
    expect("hardware", &c, "INTEL-SA-00161");
    expect("hardware\n    ignore_advisories: [INTEL-SA-00161]", &c, "INTEL-SA-00657");
    expect("hardware\n    ignore_advisories: [INTEL-SA-00161, INTEL-SA-00657]", &c, NULL);
    expect("hardware\n    tolerate: [hyperthreading, aepic-leak]", &c, NULL);
    expect("hardware\n    tolerate: [debug-mode]\n    ignore_advisories: '*'", &c, NULL);
    /* A configuration whose every weakness has a tolerated name is tolerated. */
    c.tcb_status = POL_TCB_CONFIGURATION_NEEDED;
    expect("hardware\n    tolerate: [hyperthreading, aepic-leak]", &c, NULL);
    expect("hardware\n    tolerate: [hyperthreading]\n    ignore_advisories: [INTEL-SA-00657]", &c,
           "configuration");
    c.advisory_count = 0;
    expect("hardware\n    tolerate: [hyperthreading, aepic-leak]", &c, "configuration");
}

static void test_evaluate_collateral_freshness(void **state)
{
    struct pol_claims c = good_claims();

    expect("hardware\n    max_collateral_age: 1 hour", &c, NULL);
    c.collateral_age++;
    expect("hardware\n    max_collateral_age: 1 hour", &c, "3601 seconds old");
    expect("hardware\n    min_tcb_evaluation: 17", &c, NULL);
    expect("hardware\n    min_tcb_evaluation: 18", &c, "below 18");
}

/* ---- access --------------------------------------------------------------------------------- */

#define KEY_A "1111111111111111111111111111111111111111111111111111111111111111"
#define KEY_B "2222222222222222222222222222222222222222222222222222222222222222"

static struct pol_caller caller(uint8_t key)
{
    struct pol_caller c = {.has_key = key != 0};

    memset(c.key.b, key, sizeof(c.key.b));
    return c;
}

static bool allowed(const char *policy, enum pol_right right, const struct pol_caller *c)
{
    _cleanup_session_ struct pol_session *s = NULL;
    _cleanup_free_ char *text = NULL;

    assert_true(asprintf(&text, "name: s\nversion: '0.3'\ncreator: " KEY_A "\n%s\n", policy) > 0);
    s = must_parse(text);
    return pol_access(s, right, c, NULL) == 0;
}

static void test_access_defaults(void **state)
{
    const struct pol_caller creator = caller(0x11);
    const struct pol_caller other = caller(0x22);
    const struct pol_caller nobody = caller(0);

    for (enum pol_right r = 0; r < RIGHT_COUNT; r++) {
        assert_int_equal(allowed("", r, &creator), r != RIGHT_READ_SECRETS);
        assert_false(allowed("", r, &other));
        assert_false(allowed("", r, &nobody));
    }
    assert_false(allowed("", RIGHT_COUNT, &creator));
}

static void test_access_rights_fall_back_to_each_other(void **state)
{
    const struct pol_caller other = caller(0x22);

    assert_true(allowed("access_policy: {update: " KEY_B "}", RIGHT_CREATE_SESSIONS, &other));
    assert_false(allowed("access_policy: {update: " KEY_B ", create_sessions: NONE}",
                         RIGHT_CREATE_SESSIONS, &other));
    assert_true(allowed("access_policy: {read: ANY}", RIGHT_LIST_SESSIONS, &other));
    assert_false(
        allowed("access_policy: {read: ANY, list_sessions: NONE}", RIGHT_LIST_SESSIONS, &other));
    /* Who may create may list. */
    assert_true(allowed("access_policy: {list_sessions: NONE, create_sessions: " KEY_B "}",
                        RIGHT_LIST_SESSIONS, &other));
    assert_false(allowed("access_policy: {read: ANY}", RIGHT_READ_SECRETS, &other));
    assert_false(allowed("access_policy: {read: ANY}", RIGHT_UPDATE, &other));
}

static void test_access_any_none_and_keys(void **state)
{
    const struct pol_caller creator = caller(0x11);
    const struct pol_caller other = caller(0x22);
    const struct pol_caller nobody = caller(0);

    assert_true(allowed("access_policy: {read: ANY}", RIGHT_READ, &nobody));
    assert_false(allowed("access_policy: {read: NONE}", RIGHT_READ, &creator));
    assert_true(allowed("access_policy: {read: [" KEY_B "]}", RIGHT_READ, &other));
    assert_false(allowed("access_policy: {read: [" KEY_B "]}", RIGHT_READ, &creator));
    assert_false(allowed("access_policy: {read: [" KEY_B "]}", RIGHT_READ, &nobody));
    assert_true(allowed("access_policy: {read: [" KEY_B ", CREATOR]}", RIGHT_READ, &creator));
}

static void test_access_require_counts_each_entry(void **state)
{
    static const char both[] = "access_policy: {update: [{require-all: [CREATOR, " KEY_B "]}]}";
    static const char signers[] = "access_policy:\n  update:\n    - require-at-least-2:\n"
                                  "      - CREATOR\n"
                                  "      - signer: %s\n"
                                  "      - signer: %s\n";
    const struct pol_caller creator = caller(0x11);
    const struct pol_caller other = caller(0x22);
    struct pol_signer sigs[2] = {{.version = KEY_ID_VERSION_SIGNER},
                                 {.version = KEY_ID_VERSION_SIGNER}};
    struct pol_caller signed_caller = caller(0x11);
    _cleanup_free_ char *policy = NULL;
    char name[2][KEY_ID_TEXT_MAX];

    /* One connection has one key: two keys can only be met with signatures. */
    assert_false(allowed(both, RIGHT_UPDATE, &creator));
    assert_false(allowed(both, RIGHT_UPDATE, &other));

    memset(sigs[0].id.b, 0x33, 32);
    memset(sigs[1].id.b, 0x44, 32);
    key_id_print(KEY_ID_VERSION_SIGNER, sigs[0].id.b, name[0]);
    key_id_print(KEY_ID_VERSION_SIGNER, sigs[1].id.b, name[1]);
    assert_true(asprintf(&policy, signers, name[0], name[1]) > 0);
    signed_caller.signers = sigs;
    assert_false(allowed(policy, RIGHT_UPDATE, &signed_caller));
    signed_caller.signer_count = 1;
    assert_true(allowed(policy, RIGHT_UPDATE, &signed_caller));
    signed_caller.has_key = false;
    assert_false(allowed(policy, RIGHT_UPDATE, &signed_caller));
    signed_caller.signer_count = 2;
    assert_true(allowed(policy, RIGHT_UPDATE, &signed_caller));
    sigs[1].id.b[0] ^= 1;
    assert_false(allowed(policy, RIGHT_UPDATE, &signed_caller));
    sigs[1].id.b[0] ^= 1;
    sigs[1].version = KEY_ID_VERSION_KEY;
    assert_false(allowed(policy, RIGHT_UPDATE, &signed_caller));
    sigs[1] = sigs[0]; /* the same signature twice is one */
    assert_false(allowed(policy, RIGHT_UPDATE, &signed_caller));
}

/* ---- exports -------------------------------------------------------------------------------- */

static void test_exports_to_sessions_and_namespaces(void **state)
{
    _cleanup_session_ struct pol_session *s = must_parse(
        "name: ns/s\nversion: '0.3'\nsecrets:\n"
        "  - name: a\n    kind: ascii\n"
        "    export: [./one, {session: two, session_hash: " KEY_A "}, {namespace: all}]\n"
        "volumes:\n  - {name: v, export: {session: one, volume_alias: w}}\n");
    const struct pol_secret *a = pol_find_secret(s, "a", 1);
    const struct pol_volume *v = pol_find_volume(s, "v");
    uint8_t h1[32];
    uint8_t h2[32];

    memset(h1, 0x11, sizeof(h1));
    memset(h2, 0x22, sizeof(h2));
    assert_true(pol_exports_to(s, a, "ns/one", h2));
    assert_false(pol_exports_to(s, a, "one", h2));
    assert_false(pol_exports_to(s, a, "ns/one/below", h2));
    assert_true(pol_exports_to(s, a, "two", h1));
    assert_false(pol_exports_to(s, a, "two", h2));
    assert_true(pol_exports_to(s, a, "all", h2));
    assert_true(pol_exports_to(s, a, "all/below/that", h2));
    assert_false(pol_exports_to(s, a, "allmost", h2));
    assert_non_null(pol_volume_exports_to(s, v, "one", h1));
    assert_null(pol_volume_exports_to(s, v, "ns/one", h1));
}

/* ---- values --------------------------------------------------------------------------------- */

static int get_value(void *ctx, const struct pol_secret *secret, const char *format,
                     size_t format_len, uint8_t **ret, size_t *ret_size, struct error **err)
{
    static const uint8_t raw[] = {'a', '"', '\\', '\n', 0x01, 0xc3, 0xbc};
    enum pol_format f;

    if (ctx != NULL) {
        return error_set(err, EIO, "no");
    }
    assert_int_equal(pol_format_of(secret->kind, format, format_len, &f), 0);
    if (strcmp(secret->name, "nul") == 0) {
        *ret = calloc(1, 2);
        *ret_size = 2;
    } else if (strcmp(secret->name, "not8") == 0) {
        *ret = malloc(1);
        **ret = 0xff;
        *ret_size = 1;
    } else {
        *ret = malloc(sizeof(raw));
        memcpy(*ret, raw, sizeof(raw));
        *ret_size = sizeof(raw);
    }
    return 0;
}

static void test_expand_macros_in_place(void **state)
{
    _cleanup_session_ struct pol_session *s =
        must_parse("name: s\nversion: '0.3'\nsecrets:\n  - {name: x, kind: binary}\n"
                   "  - {name: nul, kind: binary}\n  - {name: not8, kind: binary}\n");
    struct pol_values values = {.get = get_value};
    _cleanup_free_ char *text = NULL;
    _cleanup_free_ uint8_t *raw = NULL;
    char *never = NULL;
    size_t size;

    assert_int_equal(pol_expand_string(s, "", &values, &text, NULL), 0);
    assert_string_equal(text, "");
    free(TAKE_PTR(text));
    assert_int_equal(
        pol_expand_string(s, "<$$SCONE::x$$|$$SCONE::x|escape(json)$$> $", &values, &text, NULL),
        0);
    assert_string_equal(text, "<a\"\\\n\x01\xc3\xbc|a\\\"\\\\\\n\\u0001\xc3\xbc> $");
    assert_int_equal(pol_expand(s, "$$SCONE::nul$$", &values, &raw, &size, NULL), 0);
    assert_int_equal(size, 2);
    assert_int_equal(pol_expand_string(s, "$$SCONE::nul$$", &values, &never, NULL), -EINVAL);
    assert_int_equal(pol_expand_string(s, "$$SCONE::not8|escape(json)$$", &values, &never, NULL),
                     -EINVAL);
    assert_int_equal(pol_expand_string(s, "$$SCONE::nope$$", &values, &never, NULL), -ENOENT);
    assert_int_equal(pol_expand_string(s, "$$SCONE::x", &values, &never, NULL), -EINVAL);
    values.ctx = &values;
    assert_int_equal(pol_expand_string(s, "$$SCONE::x$$", &values, &never, NULL), -EIO);
    assert_null(never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluate_enclave_every_part_counts),
        cmocka_unit_test(test_evaluate_unknown_service_not_found),
        cmocka_unit_test(test_evaluate_software_root_only_in_words),
        cmocka_unit_test(test_evaluate_debug_only_when_tolerated),
        cmocka_unit_test(test_evaluate_tcb_status_exactly_what_is_tolerated),
        cmocka_unit_test(test_evaluate_revoked_never),
        cmocka_unit_test(test_evaluate_advisories),
        cmocka_unit_test(test_evaluate_collateral_freshness),
        cmocka_unit_test(test_access_defaults),
        cmocka_unit_test(test_access_rights_fall_back_to_each_other),
        cmocka_unit_test(test_access_any_none_and_keys),
        cmocka_unit_test(test_access_require_counts_each_entry),
        cmocka_unit_test(test_exports_to_sessions_and_namespaces),
        cmocka_unit_test(test_expand_macros_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
