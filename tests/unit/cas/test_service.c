/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright 2026 The nacre authors */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "cas/cas_fixture.h"
#include "core/hex.h"

/* Callers are told apart by a byte; 0 has no certificate. */
static struct cas_caller caller(uint8_t key)
{
    struct cas_caller c = {.policy.has_key = key != 0, .peer = "192.0.2.1"};

    memset(c.policy.key.b, key, sizeof(c.policy.key.b));
    return c;
}

/* Puts "name: …" with the rest of a document; the last hash of that name becomes `hash`. */
static int put(uint8_t who, const char *name, const char *rest, char hash[static 65])
{
    const struct cas_caller c = caller(who);
    _cleanup_diags_ struct pol_diags d = {0};
    _cleanup_free_ char *text = NULL;
    struct cas_put_result result;
    int r;

    assert_true(asprintf(&text, "name: %s\nversion: '0.3'\n%s\n", name, rest) > 0);
    r = cas_session_put(g_cas, &c, text, strlen(text), &d, &result, NULL);
    if (r == 0) {
        hex_encode(hash, result.hash, sizeof(result.hash));
        assert_string_equal(result.name, name);
    }
    return r;
}

static int update(uint8_t who, const char *name, const char *rest, char hash[static 65])
{
    _cleanup_free_ char *full = NULL;

    assert_true(asprintf(&full, "predecessor: %s\n%s", hash, rest) > 0);
    return put(who, name, full, hash);
}

static int read_session(uint8_t who, const char *name, char **ret)
{
    const struct cas_caller c = caller(who);
    _cleanup_read_ struct cas_read_result result = {0};
    int r = cas_session_read(g_cas, &c, name, NULL, &result, NULL);

    if (r == 0 && ret != NULL) {
        *ret = strdup(result.document);
    }
    return r;
}

static int delete_session(uint8_t who, const char *name)
{
    const struct cas_caller c = caller(who);

    return cas_session_delete(g_cas, &c, name, NULL, NULL);
}

/* The value of one secret as its JSON text, or the error. */
static int value(uint8_t who, const char *name, const char *secret, char ret[static 8192])
{
    const struct cas_caller c = caller(who);
    json_t *j = NULL;
    int r = cas_values(g_cas, &c, name, secret, &j, NULL);

    if (r == 0) {
        (void)snprintf(ret, 8192, "%s", json_string_value(json_object_get(j, "value")));
        json_decref(j);
    }
    return r;
}

static char *audit_text(void)
{
    uint8_t *data = NULL;
    size_t size;

    assert_int_equal(fs_read_file(cas_fixture_path("audit.log"), 1 << 20, &data, &size, NULL), 0);
    return (char *)data;
}

static void test_life_of_a_session(void **state)
{
    _cleanup_free_ char *text = NULL;
    char hash[65];
    char old[65];
    struct cas_stats stats;

    assert_int_equal(put(1, "app", "secrets: [{name: a, kind: ascii}]", hash), 0);
    assert_int_equal(read_session(1, "app", &text), 0);
    assert_non_null(strstr(text, "creator:")); /* filled in */
    memcpy(old, hash, sizeof(old));
    assert_int_equal(
        update(1, "app", "secrets: [{name: a, kind: ascii}, {name: b, kind: ascii}]", hash), 0);
    assert_string_not_equal(hash, old);
    assert_int_equal(update(1, "app", "", old), -ESTALE);
    assert_int_equal(put(1, "app", "", old), -EEXIST);
    assert_int_equal(delete_session(1, "app"), 0);
    assert_int_equal(read_session(1, "app", NULL), -ENOENT);
    assert_int_equal(delete_session(1, "app"), -ENOENT);
    assert_int_equal(update(1, "app", "", hash), -ENOENT);
    assert_int_equal(cas_stats(g_cas, &stats, NULL), 0);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(stats.created, 1);
    assert_int_equal(stats.updated, 1);
    assert_int_equal(stats.deleted, 1);
}

static void test_rights_of_others(void **state)
{
    _cleanup_free_ char *log = NULL;
    char hash[65];
    char copy[65];

    assert_int_equal(put(0, "app", "", hash), -EACCES); /* no certificate, no session */
    assert_int_equal(put(1, "app", "", hash), 0);
    memcpy(copy, hash, sizeof(copy));
    assert_int_equal(read_session(2, "app", NULL), -EACCES);
    assert_int_equal(read_session(0, "app", NULL), -EACCES);
    assert_int_equal(update(2, "app", "", copy), -EACCES);
    assert_int_equal(put(2, "app", "", copy), -EACCES);
    assert_int_equal(delete_session(2, "app"), -EACCES);
    assert_int_equal(delete_session(0, "app"), -EACCES);
    assert_int_equal(read_session(1, "app", NULL), 0);
    log = audit_text();
    for (const char *p = log, *end = NULL; (p = strstr(p, "\"event\":\"denied\"")) != NULL;
         p = end) {
        end = strchr(p, '\n');
        assert_non_null(memmem(p, (size_t)(end - p), "\"reason\":\"", 10));
        assert_non_null(memmem(p, (size_t)(end - p), "192.0.2.1", 9));
    }
    assert_non_null(strstr(log, "does not have the right 'update'"));
    assert_non_null(strstr(log, "does not have the right 'read'"));
}

static void test_creator_is_who_created_and_stays(void **state)
{
    static const char other[] =
        "creator: 0202020202020202020202020202020202020202020202020202020202020202\n";
    char hash[65];
    char copy[65];

    assert_int_equal(put(1, "app", other, hash), -EINVAL); /* in another's name */
    assert_int_equal(put(1, "app", "access_policy: {update: ANY}", hash), 0);
    memcpy(copy, hash, sizeof(copy));
    assert_int_equal(update(2, "app", other, copy), -EINVAL); /* taking over */
    assert_int_equal(update(2, "app", "", hash), 0);          /* ANY may, but CREATOR stays 1 */
    assert_int_equal(read_session(2, "app", NULL), -EACCES);
    assert_int_equal(read_session(1, "app", NULL), 0);
}

static void test_namespaces_against_squatting(void **state)
{
    char hash[65];
    char ns[65];

    assert_int_equal(put(2, "ns/app", "", hash), -ENOENT);
    assert_int_equal(put(1, "ns", "", ns), 0);
    assert_int_equal(put(2, "ns/app", "", hash), -EACCES);
    assert_int_equal(put(1, "ns/app", "", hash), 0);
    assert_int_equal(update(1, "ns", "access_policy: {create_sessions: ANY}", ns), 0);
    assert_int_equal(put(2, "ns/theirs", "", hash), 0);
    assert_int_equal(read_session(1, "ns/theirs", NULL), -EACCES); /* his own all the same */
    assert_int_equal(delete_session(1, "ns"), -ENOTEMPTY);
    /* Names at the top are free for all until somebody claims the root. */
    assert_int_equal(put(1, "/", "access_policy: {create_sessions: CREATOR}", hash), -EACCES);
}

static void test_namespace_root_claimed_first(void **state)
{
    char hash[65];

    assert_int_equal(put(1, "/", "", hash), 0);
    assert_int_equal(put(2, "top", "", hash), -EACCES);
    assert_int_equal(put(1, "top", "", hash), 0);
}

static void test_namespace_hash_pins_the_parent(void **state)
{
    _cleanup_free_ char *good = NULL;
    char hash[65];
    char ns[65];

    assert_int_equal(put(1, "ns", "", ns), 0);
    assert_int_equal(put(1, "ns/a",
                         "namespace_hash: "
                         "0000000000000000000000000000000000000000000000000000000000000000",
                         hash),
                     -ESTALE);
    assert_true(asprintf(&good, "namespace_hash: %s", ns) > 0);
    assert_int_equal(put(1, "ns/a", good, hash), 0);
    assert_int_equal(put(1, "top", good, hash), -EINVAL);
}

static void test_update_keeps_values(void **state)
{
    static const char v1[] = "access_policy: {read_secrets: CREATOR}\n"
                             "secrets: [{name: a, kind: ascii}, {name: b, kind: ascii}]";
    static const char v2[] = "access_policy: {read_secrets: CREATOR}\n"
                             "secrets: [{name: a, kind: ascii}, {name: b, kind: ascii, size: 21}]";
    static char before[2][8192];
    static char after[2][8192];
    char hash[65];

    assert_int_equal(put(1, "app", v1, hash), 0);
    assert_int_equal(value(1, "app", "a", before[0]), 0);
    assert_int_equal(value(1, "app", "b", before[1]), 0);
    assert_int_equal(update(1, "app", v2, hash), 0);
    cas_freep(&g_cas);
    assert_int_equal(cas_fixture_open(), 0); /* and over a restart */
    assert_int_equal(value(1, "app", "a", after[0]), 0);
    assert_int_equal(value(1, "app", "b", after[1]), 0);
    assert_string_equal(before[0], after[0]);
    assert_string_not_equal(before[1], after[1]);
    assert_int_equal(strlen(after[1]), 21);
}

static void test_values_public_and_with_the_right(void **state)
{
    static const char doc[] = "secrets:\n"
                              "  - {name: k, kind: private-key}\n"
                              "  - {name: ca, kind: x509-ca, private_key: k, export_public: true}\n"
                              "  - {name: pw, kind: ascii, value: hunter2}\n"
                              "access_policy: {read: ANY, read_secrets: "
                              "'0202020202020202020202020202020202020202020202020202020202020202'}";
    static char text[8192];
    _cleanup_free_ char *shown = NULL;
    _cleanup_free_ char *log = NULL;
    char hash[65];

    assert_int_equal(put(1, "app", doc, hash), 0);
    assert_int_equal(value(0, "app", "ca", text), 0);
    assert_int_equal(strncmp(text, "-----BEGIN CERTIFICATE-----\n", 28), 0);
    assert_int_equal(value(0, "app", "pw", text), -ENOENT);
    assert_int_equal(value(0, "app", "k", text), -ENOENT);
    assert_int_equal(value(1, "app", "pw", text), -ENOENT); /* not even the creator */
    assert_int_equal(value(2, "app", "pw", text), 0);
    assert_string_equal(text, "hunter2");
    assert_int_equal(value(2, "nope", "pw", text), -ENOENT);
    /* Reading the session withholds the value, unless the right is there. */
    assert_int_equal(read_session(1, "app", &shown), 0);
    assert_null(strstr(shown, "hunter2"));
    assert_non_null(strstr(shown, "value_withheld: true"));
    free(TAKE_PTR(shown));
    assert_int_equal(read_session(2, "app", &shown), 0);
    assert_non_null(strstr(shown, "hunter2"));
    log = audit_text();
    assert_null(strstr(log, "hunter2"));
    assert_non_null(strstr(log, "session.read_with_secrets"));
    assert_non_null(strstr(log, "values.read"));
}

static void test_values_certificates_renew(void **state)
{
    static const char doc[] =
        "secrets:\n  - {name: k, kind: private-key}\n"
        "  - {name: c, kind: x509, private_key: k, valid_for: 90 days, export_public: true}\n";
    static char first[8192];
    static char second[8192];
    static char third[8192];
    char hash[65];

    assert_int_equal(put(1, "app", doc, hash), 0);
    assert_int_equal(value(0, "app", "c", first), 0);
    g_now += 59 * 86400;
    assert_int_equal(value(0, "app", "c", second), 0);
    assert_string_equal(first, second);
    g_now += 2 * 86400;
    assert_int_equal(value(0, "app", "c", second), 0);
    assert_string_not_equal(first, second);
    assert_int_equal(value(0, "app", "c", third), 0);
    assert_string_equal(second, third);
}

static void test_imports_both_sides_must_agree(void **state)
{
    static const char exporter[] = "secrets:\n"
                                   "  - {name: pub, kind: ascii, export: good}\n"
                                   "  - {name: all, kind: ascii, export: {namespace: ns}}\n"
                                   "  - {name: own, kind: ascii}\n";
    char hash[65];

    assert_int_equal(
        put(2, "good", "secrets: [{name: x, import: {session: from, secret: pub}}]", hash),
        -EINVAL);
    assert_int_equal(put(1, "from", exporter, hash), 0);
    assert_int_equal(
        put(2, "good", "secrets: [{name: x, import: {session: from, secret: pub}}]", hash), 0);
    assert_int_equal(
        put(2, "bad", "secrets: [{name: x, import: {session: from, secret: pub}}]", hash), -EINVAL);
    assert_int_equal(
        put(2, "bad", "secrets: [{name: x, import: {session: from, secret: own}}]", hash), -EINVAL);
    assert_int_equal(
        put(2, "bad", "secrets: [{name: x, import: {session: from, secret: nope}}]", hash),
        -EINVAL);
    assert_int_equal(put(2, "bad",
                         "secrets: [{name: x, kind: binary, import: {session: from, secret: pub}}]",
                         hash),
                     -EINVAL);
    assert_int_equal(
        put(2, "ns", "secrets: [{name: x, import: {session: from, secret: all}}]", hash), 0);
    assert_int_equal(
        put(2, "ns/deep", "secrets: [{name: x, import: {session: ../from, secret: all}}]", hash),
        0);
    /* An import cannot be passed on. */
    assert_int_equal(
        put(3, "third", "secrets: [{name: y, import: {session: good, secret: x}}]", hash), -EINVAL);
}

static void test_imports_of_a_ca_need_its_key_exported(void **state)
{
    static const char text[] = "secrets:\n"
                               "  - {name: k, kind: private-key%s}\n"
                               "  - {name: ca, kind: x509-ca, private_key: k, export: mine}\n";
    static const char mine[] = "secrets:\n"
                               "  - {name: ca, kind: x509-ca, import: {session: %s, secret: ca}}\n"
                               "  - {name: k, kind: private-key}\n"
                               "  - {name: c, kind: x509, private_key: k, issuer: ca}\n";
    _cleanup_free_ char *with = NULL;
    _cleanup_free_ char *without = NULL;
    _cleanup_free_ char *m1 = NULL;
    _cleanup_free_ char *m2 = NULL;
    char hash[65];

    assert_true(asprintf(&with, text, ", export: mine") > 0);
    assert_true(asprintf(&without, text, "") > 0);
    assert_true(asprintf(&m1, mine, "with") > 0);
    assert_true(asprintf(&m2, mine, "without") > 0);
    assert_int_equal(put(1, "with", with, hash), 0);
    assert_int_equal(put(1, "without", without, hash), 0);
    assert_int_equal(put(2, "mine", m2, hash), -EACCES);
    assert_int_equal(put(2, "mine", m1, hash), 0);
}

static size_t listed(uint8_t who, const char *namespace, const char *after, const char *expect)
{
    const struct cas_caller c = caller(who);
    char names[4096] = "";
    json_t *j = NULL;
    json_t *item;
    size_t at = 0;
    size_t i;

    assert_int_equal(cas_session_list(g_cas, &c, namespace, after, &j, NULL), 0);
    json_array_foreach(json_object_get(j, "sessions"), i, item)
    {
        at += (size_t)snprintf(names + at, sizeof(names) - at, "%s ",
                               json_string_value(json_object_get(item, "name")));
    }
    if (expect != NULL) {
        assert_string_equal(names, expect);
    }
    i = json_array_size(json_object_get(j, "sessions"));
    json_decref(j);
    return i;
}

static void test_list_shows_what_the_caller_may_know(void **state)
{
    char hash[65];

    assert_int_equal(
        put(1, "ns", "access_policy: {create_sessions: ANY, list_sessions: CREATOR}", hash), 0);
    assert_int_equal(put(1, "ns/a", "", hash), 0);
    assert_int_equal(put(2, "ns/b", "", hash), 0);
    assert_int_equal(put(3, "ns/c", "access_policy: {read: ANY}", hash), 0);
    (void)listed(1, "ns", NULL, "ns/a ns/b ns/c ");
    /* Who may create may list: ANY here. */
    (void)listed(2, "ns", NULL, "ns/a ns/b ns/c ");
    (void)listed(1, "ns", "ns/a", "ns/b ns/c ");
    /* No root session: what one may read. */
    (void)listed(2, "/", NULL, "ns/b ns/c ");
    (void)listed(0, "/", NULL, "ns/c ");
}

static void test_list_in_pages(void **state)
{
    const struct cas_caller c = caller(1);
    const char *next;
    json_t *j = NULL;
    char hash[65];
    size_t total;

    for (int i = 0; i < CAS_LIST_MAX + 5; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "s%03d", i);
        assert_int_equal(put(1, name, "", hash), 0);
    }
    assert_int_equal(cas_session_list(g_cas, &c, "/", NULL, &j, NULL), 0);
    total = json_array_size(json_object_get(j, "sessions"));
    next = json_string_value(json_object_get(j, "next"));
    assert_int_equal(total, CAS_LIST_MAX);
    assert_non_null(next);
    total += listed(1, "/", next, NULL);
    assert_int_equal(total, CAS_LIST_MAX + 5);
    json_decref(j);
}

static void test_verify_changes_nothing(void **state)
{
    static const char text[] = "name: app\nversion: '0.3'\nsecrets: [{name: a, kind: ascii}]\n";
    const struct cas_caller c = caller(1);
    _cleanup_diags_ struct pol_diags d = {0};
    struct cas_put_result would;
    char hash[65];
    char real[65];

    assert_int_equal(cas_session_verify(g_cas, &c, text, strlen(text), &d, &would, NULL), 0);
    assert_true(would.created);
    assert_int_equal(read_session(1, "app", NULL), -ENOENT);
    assert_int_equal(put(1, "app", "secrets: [{name: a, kind: ascii}]", real), 0);
    hex_encode(hash, would.hash, sizeof(would.hash));
    assert_string_equal(hash, real);
}

static void test_audit_has_every_change_and_verifies(void **state)
{
    static const char *const events[] = {"session.create", "session.update", "session.delete",
                                         "denied"};
    struct audit_summary sum;
    _cleanup_free_ char *log = NULL;
    char hash[65];

    assert_int_equal(put(1, "app", "", hash), 0);
    assert_int_equal(update(1, "app", "access_policy: {read: ANY}", hash), 0);
    assert_int_equal(delete_session(2, "app"), -EACCES);
    assert_int_equal(delete_session(1, "app"), 0);
    log = audit_text();
    for (size_t i = 0; i < ARRAY_COUNT(events); i++) {
        assert_non_null(strstr(log, events[i]));
    }
    assert_non_null(strstr(log, hash));
    assert_int_equal(audit_verify(cas_fixture_path("audit.log"), NULL, &sum, NULL), 0);
    assert_int_equal(sum.lines, 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, cas_fixture_setup, cas_fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_life_of_a_session),
        T(test_rights_of_others),
        T(test_creator_is_who_created_and_stays),
        T(test_namespaces_against_squatting),
        T(test_namespace_root_claimed_first),
        T(test_namespace_hash_pins_the_parent),
        T(test_update_keeps_values),
        T(test_values_public_and_with_the_right),
        T(test_values_certificates_renew),
        T(test_imports_both_sides_must_agree),
        T(test_imports_of_a_ca_need_its_key_exported),
        T(test_list_shows_what_the_caller_may_know),
        T(test_list_in_pages),
        T(test_verify_changes_nothing),
        T(test_audit_has_every_change_and_verifies),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
